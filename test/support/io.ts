import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRunProgram } from '../../src/engine/program.ts';
import type { BuildEvent } from '../../src/events.ts';
import type { Io } from '../../src/io.ts';
import { makeImages } from '../../src/registry/images.ts';
import { makeWeb } from '../../src/registry/web.ts';

/** An `Io` over real files and layouts, with a cache in memory; everything that is reported is kept. */
export interface TestIo extends Io {
  readonly events: readonly BuildEvent[];
  readonly cached: Map<string, Uint8Array>;
}

export function makeTestIo(overrides: Partial<Io> = {}): TestIo {
  const events: BuildEvent[] = [];
  const cached = new Map<string, Uint8Array>();
  const compiled = new Map<string, Uint8Array>();
  const report = (event: BuildEvent): void => void events.push(event);
  return {
    images: makeImages({ report }),
    web: makeWeb({ caFiles: [], certDirs: [], env: {}, report }),
    releaseTrust: { verify: () => Promise.resolve(undefined) },
    cache: {
      get: async (key) => cached.get(key),
      put: async (key, bytes) => void cached.set(key, bytes),
    },
    compiled: {
      get: async (key) => compiled.get(key),
      put: async (key, bytes) => void compiled.set(key, bytes),
    },
    files: {
      read: (path) => readFile(path),
      readLink: (path) => readlink(path).catch(() => undefined),
      list: async (directory) =>
        readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
          .sort(),
    },
    engine: () => Promise.reject(new Error('This test has no engine')),
    emulator: () => Promise.reject(new Error('This test boots nothing')),
    sources: {
      resolveGit: () => Promise.reject(new Error('This test has no git')),
      checkOutGit: () => Promise.reject(new Error('This test has no git')),
      digestDirectory: () => Promise.reject(new Error('This test digests nothing')),
      fetchFile: () => Promise.reject(new Error('This test fetches nothing')),
      unpackArchive: () => Promise.reject(new Error('This test unpacks nothing')),
      readRpm: () => Promise.reject(new Error('This test reads no rpm')),
      unpackSrpm: () => Promise.reject(new Error('This test unpacks nothing')),
    },
    runProgram: makeRunProgram({ env: process.env, withTemporaryDirectory }),
    openLog: () => Promise.resolve({ path: undefined, add: () => undefined, close: () => Promise.resolve() }),
    withTemporaryDirectory,
    env: {},
    now: () => new Date('2026-01-01T00:00:00Z'),
    report,
    signal: new AbortController().signal,
    ...overrides,
    events,
    cached,
  };
}

/** A directory that is gone when `use` settles. */
export async function withTemporaryDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
