import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModuleError, SpecError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import {
  parseDepmodConfig,
  RHEL_DEPMOD_CONFIG,
  type DepmodConfig,
  type DepmodFile,
} from '../src/kmod/depmod/config.ts';
import { mergeIndexes, type MergeResult } from '../src/kmod/depmod/merge.ts';
import type { AddedModule } from '../src/kmod/depmod/select-modules.ts';
import type { KernelModule } from '../src/kmod/module.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';

const CONFIG_DIRECTORIES = [
  'etc/depmod.d',
  'run/depmod.d',
  'usr/local/lib/depmod.d',
  'usr/lib/depmod.d',
  'lib/depmod.d',
];

/** A kernel's modules in a directory. */
export interface BaseDirectory {
  /** Root of the system; undefined for a directory of modules alone. */
  readonly root: string | undefined;
  /** Directory with the `modules.*` files. */
  readonly directory: string;
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly config: DepmodConfig;
}

/**
 * Opens the modules of a kernel below a root directory, or in the directory that holds them.
 *
 * @throws {SpecError} `USAGE` when there are no indexes of that kernel.
 */
export async function openBaseDirectory(base: string, kernel: KernelRelease): Promise<BaseDirectory> {
  for (const below of ['usr/lib/modules', 'lib/modules']) {
    const directory = join(base, below, kernel);
    const indexes = await readIndexes(directory);
    if (indexes !== undefined) return { root: base, directory, indexes, config: await readConfig(base) };
  }
  const indexes = await readIndexes(base);
  // A directory of modules alone does not say in which order depmod searches: that of RHEL is taken.
  if (indexes !== undefined) return { root: undefined, directory: base, indexes, config: RHEL_DEPMOD_CONFIG };
  throw new SpecError('USAGE', `Cannot use ${base}: it has no modules.dep for kernel ${kernel}`, {
    hint: `Give a root directory with lib/modules/${kernel}, or that directory itself.`,
  });
}

/** The `modules.*` files of a directory, or undefined when it has no `modules.dep`. */
async function readIndexes(directory: string): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile() && entry.name.startsWith('modules.'));
  if (!names.some(({ name }) => name === 'modules.dep')) return undefined;
  return new Map(
    await Promise.all(names.map(async ({ name }) => [name, await readFile(join(directory, name))] as const)),
  );
}

async function readConfig(root: string): Promise<DepmodConfig> {
  const files: DepmodFile[] = [];
  for (const directory of CONFIG_DIRECTORIES) {
    const names = await readdir(join(root, directory)).catch(() => []);
    for (const name of names.filter((found) => found.endsWith('.conf'))) {
      files.push({ directory, name, text: await readFile(join(root, directory, name), 'utf8') });
    }
  }
  return parseDepmodConfig(files);
}

/**
 * Merges modules into the indexes of a directory. Its own modules are read only when the merge cannot do without them.
 *
 * @throws {ModuleError} as `mergeIndexes` does.
 */
export async function mergeIntoDirectory(
  { directory, indexes, config }: BaseDirectory,
  added: readonly AddedModule[],
  kernelRelease: KernelRelease,
): Promise<MergeResult & { kind: 'merged' }> {
  const baseModules = new Map<string, KernelModule>();
  for (;;) {
    const result = mergeIndexes({ base: indexes, added, config, kernelRelease, baseModules });
    if (result.kind === 'merged') return result;
    const paths = result.paths.filter((path) => !baseModules.has(path));
    if (paths.length === 0) {
      throw new ModuleError('INDEX_UNSUPPORTED', `Cannot merge into the indexes of ${directory}`);
    }
    for (const path of paths) {
      const bytes = await readInput(makeFiles(directory), path);
      baseModules.set(path, readModule(await decompressModule(bytes)));
    }
  }
}
