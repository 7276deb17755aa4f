import { execFile } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { KernelTree } from './depmod-packages.ts';

const run = promisify(execFile);

/** What a kernel's build leaves beside the modules; all other `modules.*` files are depmod's. */
const BUILD_FILES = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'];

export const RHEL_CONFIG = 'search updates extra built-in weak-updates\n';

/** A tree of hard links to a kernel's modules: files can be put in and out, and real depmod run on it. */
export class ModuleTree {
  readonly kernel: KernelTree;
  readonly #root: string;
  readonly #directory: string;
  readonly #configFile: string;

  /** @param paths Modules of the kernel that the tree has. */
  constructor(kernel: KernelTree, root: string, paths: readonly string[]) {
    this.kernel = kernel;
    this.#root = root;
    this.#directory = join(root, 'lib/modules', kernel.kernelRelease);
    this.#configFile = join(root, 'depmod.conf');
    mkdirSync(this.#directory, { recursive: true });
    for (const file of BUILD_FILES) copyFileSync(join(kernel.directory, file), join(this.#directory, file));
    for (const path of paths) this.put(path, path);
  }

  /** Puts a module of the kernel at a path of the tree. */
  put(path: string, source: string): void {
    mkdirSync(dirname(join(this.#directory, path)), { recursive: true });
    rmSync(join(this.#directory, path), { force: true });
    linkSync(join(this.kernel.directory, source), join(this.#directory, path));
  }

  write(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(join(this.#directory, path)), { recursive: true });
    writeFileSync(join(this.#directory, path), bytes);
  }

  take(path: string): void {
    rmSync(join(this.#directory, path));
  }

  read(path: string): Buffer {
    return readFileSync(join(this.#directory, path));
  }

  /** Runs real depmod with this configuration alone. @returns All `modules.*` files by name. */
  async depmod(command: readonly string[], config: string): Promise<ReadonlyMap<string, Buffer>> {
    for (const file of this.#indexFiles()) {
      if (!BUILD_FILES.includes(file)) rmSync(join(this.#directory, file));
    }
    writeFileSync(this.#configFile, config);
    const [program = '', ...first] = command;
    await run(program, [...first, '-b', this.#root, '-C', this.#configFile, this.kernel.kernelRelease]);
    return new Map(this.#indexFiles().map((file) => [file, readFileSync(join(this.#directory, file))]));
  }

  #indexFiles(): readonly string[] {
    return readdirSync(this.#directory).filter((file) => file.startsWith('modules.'));
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
