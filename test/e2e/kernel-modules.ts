import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { moduleName } from '../../src/kmod/depmod/names.ts';
import type { KernelModule } from '../../src/kmod/module.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { KMOD_30, type KernelTree } from './depmod-packages.ts';
import {
  BUILD_FILES,
  type DependencyTable,
  ModuleTree,
  readDependencyTable,
  RHEL_CONFIG,
} from './depmod-tree.ts';

/** All modules of a kernel, from which trees are cut. */
export interface KernelModules {
  readonly kernel: KernelTree;
  readonly table: DependencyTable;
  /** Absolute path of a module's file. */
  readonly fileOf: (path: string) => string;
  readonly read: (path: string) => KernelModule;
  readonly isExporting: (path: string) => boolean;
  /** A file that the kernel's build left, such as `modules.order`. */
  readonly buildFile: (name: string) => Buffer;
}

/**
 * Has real depmod find out what each module of a kernel needs.
 *
 * @param scratch On the file system of the kernel: trees are made of hard links.
 */
export async function readKernel(kernel: KernelTree, scratch: string): Promise<KernelModules> {
  const list = execFileSync('find', ['kernel', '-name', '*.ko'], { cwd: kernel.directory, encoding: 'utf8' });
  const fileOf = (path: string): string => join(kernel.directory, path);
  const buildFile = (name: string): Buffer => readFileSync(fileOf(name));
  const known = new Map<string, KernelModule>();
  const read = (path: string): KernelModule => {
    const module = known.get(path) ?? readModule(readFileSync(fileOf(path)));
    known.set(path, module);
    return module;
  };
  const tree = new ModuleTree(join(scratch, 'all'), kernel.kernelRelease);
  for (const path of list.trim().split('\n')) tree.link(path, fileOf(path));
  for (const name of BUILD_FILES) tree.write(name, buildFile(name));
  const indexes = await tree.depmod(KMOD_30, RHEL_CONFIG);
  tree.remove();
  const table = readDependencyTable(indexes?.get('modules.dep')?.toString('latin1') ?? '');
  if (table.paths.length === 0) throw new Error(`depmod found no modules of ${kernel.kernelRelease}`);
  const symbols = indexes?.get('modules.symbols')?.toString('latin1') ?? '';
  const owners = new Set(symbols.split('\n').map((line) => line.split(' ')[2]));
  const isExporting = (path: string): boolean => owners.has(moduleName(path));
  return { kernel, table, fileOf, read, isExporting, buildFile };
}

/** Path of a module of the kernel by the name of its file. */
export function pathOf({ table, kernel }: KernelModules, file: string): string {
  const found = table.paths.find((path) => basename(path) === file);
  if (found === undefined) throw new Error(`the kernel ${kernel.kernelRelease} has no ${file}`);
  return found;
}

/** Modules and all that need them: a tree can do without these. */
export function withUsers(paths: readonly string[], { neededBy }: DependencyTable): readonly string[] {
  return [...new Set(paths.flatMap((path) => [path, ...(neededBy.get(path) ?? [])]))];
}

/** Modules and all that they need: a tree that is closed. */
export function withNeeds(paths: readonly string[], { needs }: DependencyTable): readonly string[] {
  return [...new Set(paths.flatMap((path) => [path, ...(needs.get(path) ?? [])]))];
}
