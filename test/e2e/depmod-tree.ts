import { execFile } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { RealDepmod } from './depmod-packages.ts';

const run = promisify(execFile);

/** What a kernel's build leaves beside the modules; all other `modules.*` files are depmod's. */
export const BUILD_FILES = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'];

export const RHEL_SEARCH = 'search updates extra built-in weak-updates\n';

/** Files of one depmod.d directory, by name. */
export type ConfigFiles = ReadonlyMap<string, string>;

export const RHEL_CONFIG: ConfigFiles = new Map([['dist.conf', RHEL_SEARCH]]);

/** Depmods before version 34 may look for ever at modules that need each other, and take all memory in seconds. */
const MOST_MEMORY_BYTES = 2 * 1024 ** 3;
const TIMEOUT_MS = 60_000;

/** A tree of modules that files can be put into and out of, and that real depmod runs on. */
export class ModuleTree {
  readonly kernelRelease: string;
  /** Directory that holds the modules and their indexes. */
  readonly directory: string;
  readonly #root: string;

  constructor(root: string, kernelRelease: string) {
    this.kernelRelease = kernelRelease;
    this.#root = root;
    this.directory = join(root, 'lib/modules', kernelRelease);
    mkdirSync(this.directory, { recursive: true });
  }

  /** Puts a file at a path of the tree, by a hard link. */
  link(path: string, file: string): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true });
    rmSync(join(this.directory, path), { force: true });
    linkSync(file, join(this.directory, path));
  }

  write(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true });
    writeFileSync(join(this.directory, path), bytes);
  }

  take(path: string): void {
    rmSync(join(this.directory, path));
  }

  read(path: string): Buffer {
    return readFileSync(join(this.directory, path));
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  /**
   * Runs real depmod with this configuration alone.
   *
   * @returns All `modules.*` files by name; undefined when depmod failed, or did not come to an end.
   */
  async depmod(
    { command }: RealDepmod,
    config: ConfigFiles,
    timeoutMs = TIMEOUT_MS,
  ): Promise<ReadonlyMap<string, Buffer> | undefined> {
    for (const file of this.#indexFiles()) {
      if (!BUILD_FILES.includes(file)) this.take(file);
    }
    const configDirectory = join(this.#root, 'depmod.d');
    rmSync(configDirectory, { recursive: true, force: true });
    mkdirSync(configDirectory);
    for (const [name, text] of config) writeFileSync(join(configDirectory, name), text);
    const argv = [...command, '-b', this.#root, '-C', configDirectory, this.kernelRelease];
    try {
      await run('prlimit', [`--data=${MOST_MEMORY_BYTES}`, '--', ...argv], {
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
      });
    } catch {
      return undefined;
    }
    return new Map(this.#indexFiles().map((file) => [file, this.read(file)]));
  }

  #indexFiles(): readonly string[] {
    return readdirSync(this.directory).filter((file) => file.startsWith('modules.'));
  }
}

/** What a `modules.dep` says. */
export interface DependencyTable {
  readonly paths: readonly string[];
  /** All modules that each path needs. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** All modules that need each path. */
  readonly neededBy: ReadonlyMap<string, readonly string[]>;
}

export function readDependencyTable(text: string): DependencyTable {
  const needs = new Map<string, readonly string[]>();
  const neededBy = new Map<string, string[]>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [path = '', rest = ''] = line.split(':');
    const list = rest.split(' ').filter((word) => word !== '');
    needs.set(path, list);
    for (const need of list) neededBy.set(need, [...(neededBy.get(need) ?? []), path]);
  }
  return { paths: [...needs.keys()], needs, neededBy };
}
