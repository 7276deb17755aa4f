import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { CompileIo } from '../../src/compile/compile.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeSources } from '../../src/engine/make-sources.ts';
import type { BuildEvent } from '../../src/events.ts';
import { makeImages } from '../../src/registry/images.ts';
import type { Images } from '../../src/registry/repository.ts';
import { makeWeb } from '../../src/registry/web.ts';

/** An `Io` for compiling that works on this machine and remembers what it was told. */
export interface CompileTestIo extends CompileIo {
  readonly events: BuildEvent[];
  readonly logs: Map<string, readonly string[]>;
  /** Temporary directories that were handed out. */
  readonly directories: string[];
}

/** @param engine The engine, or what to throw when one is asked for. */
export function makeCompileIo(
  engine: Engine | Error,
  signal: AbortSignal = new AbortController().signal,
  images: Images = makeImages({ env: process.env, signal }),
): CompileTestIo {
  const events: BuildEvent[] = [];
  const logs = new Map<string, readonly string[]>();
  const directories: string[] = [];
  return {
    events,
    logs,
    directories,
    images,
    cache: { get: () => Promise.resolve(undefined), put: () => Promise.resolve() },
    engine: () => (engine instanceof Error ? Promise.reject(engine) : Promise.resolve(engine)),
    sources: makeSources({
      web: makeWeb({ env: process.env, caFiles: [], certDirs: [], report: () => undefined, signal }),
      directory: join(tmpdir(), `kmodlayer-downloads-${process.pid}`),
    }),
    files: {
      read: (path) => readFile(path),
      readLink: (path) => readlink(path).catch(() => undefined),
      list: async (directory) => {
        const entries = await readdir(directory, { recursive: true, withFileTypes: true });
        return entries
          .filter((entry) => entry.isFile())
          .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
          .sort();
      },
    },
    withTemporaryDirectory: async (use) => {
      const directory = await mkdtemp(join(tmpdir(), `kmodlayer-compile-${process.pid}-`));
      directories.push(directory);
      try {
        return await use(directory);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    openLog: (name) => {
      const lines: string[] = [];
      logs.set(name, lines);
      const add = (line: string): void => void lines.push(line);
      return Promise.resolve({ path: `/logs/${name}`, add, close: () => Promise.resolve() });
    },
    report: (event) => {
      events.push(event);
    },
    signal,
  };
}

/** Lines that the build printed, as they were reported. */
export function printedLines(io: CompileTestIo): readonly string[] {
  return io.events.flatMap((event) => (event.type === 'compile-output' ? [event.line] : []));
}
