import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ModuleError, SpecError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { RHEL_DEPMOD_CONFIG, type DepmodConfig } from '../src/kmod/depmod/config.ts';
import { mergeIndexes, type MergeResult } from '../src/kmod/depmod/merge.ts';
import type { Symvers } from '../src/kmod/depmod/merge-exports.ts';
import type { AddedModule } from '../src/kmod/depmod/select-modules.ts';
import type { KernelModule } from '../src/kmod/module.ts';
import { readModule } from '../src/kmod/read-module.ts';
import { parseSymvers } from '../src/kmod/symvers.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { readSystemConfig } from './depmod-config.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';

/** Where a root has the modules of its kernels. */
const MODULE_DIRECTORIES = ['usr/lib/modules', 'lib/modules'];

/** Largest `symvers`, unpacked: that of a kernel has 2 MB. */
const MAX_SYMVERS_BYTES = 32 * 1024 ** 2;

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
 * @param config Takes the place of what the base says of depmod.
 * @throws {SpecError} `USAGE` when there are no indexes of that kernel.
 */
export async function openBaseDirectory(
  base: string,
  kernel: KernelRelease,
  config?: DepmodConfig,
): Promise<BaseDirectory> {
  for (const below of MODULE_DIRECTORIES) {
    const directory = join(base, below, kernel);
    const indexes = await readIndexes(directory);
    if (indexes.has('modules.dep'))
      return { root: base, directory, indexes, config: config ?? (await readSystemConfig(base)) };
  }
  const indexes = await readIndexes(base);
  // A directory of modules alone does not say in which order depmod searches: that of RHEL is taken.
  if (indexes.has('modules.dep'))
    return { root: undefined, directory: base, indexes, config: config ?? RHEL_DEPMOD_CONFIG };
  throw new SpecError('USAGE', `Cannot use ${base}: it has no modules.dep for kernel ${kernel}`, {
    hint: `Give a root directory with lib/modules/${kernel}, or that directory itself.`,
  });
}

/**
 * As `openBaseDirectory`, also for a directory that was never indexed: modules are enough.
 *
 * @throws {SpecError} `USAGE` when there is no directory of that kernel.
 */
export async function openTree(
  base: string,
  kernel: KernelRelease,
  config?: DepmodConfig,
): Promise<BaseDirectory> {
  for (const below of MODULE_DIRECTORIES) {
    const directory = join(base, below, kernel);
    if (!(await isDirectory(directory))) continue;
    const indexes = await readIndexes(directory);
    return { root: base, directory, indexes, config: config ?? (await readSystemConfig(base)) };
  }
  if (basename(base) === kernel && (await isDirectory(base))) {
    const indexes = await readIndexes(base);
    return { root: undefined, directory: base, indexes, config: config ?? RHEL_DEPMOD_CONFIG };
  }
  throw new SpecError('USAGE', `Cannot index ${base}: it has no lib/modules/${kernel}`, {
    hint: `Give a root directory with lib/modules/${kernel}, or that directory itself.`,
  });
}

/** Says whether a path is a directory, links followed. */
export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** The `modules.*` files of a directory. */
async function readIndexes(directory: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile() && entry.name.startsWith('modules.'));
  return new Map(
    await Promise.all(names.map(async ({ name }) => [name, await readFile(join(directory, name))] as const)),
  );
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
  const symvers = added.some(({ module }) => module.exports.length > 0)
    ? await readSymvers(directory)
    : undefined;
  for (;;) {
    const result = mergeIndexes({
      ...{ base: indexes, added, config, kernelRelease, baseModules },
      ...(symvers === undefined ? {} : { symvers }),
    });
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

/** What the kernel's build exported, where its directory says so, as that of RHEL does. */
async function readSymvers(directory: string): Promise<Symvers | undefined> {
  for (const name of ['symvers.gz', 'symvers.xz', 'symvers']) {
    const bytes = await readFile(join(directory, name)).catch(() => undefined);
    if (bytes === undefined) continue;
    const text = await decompressModule(bytes, { maxBytes: MAX_SYMVERS_BYTES });
    return parseSymvers(text.toString('latin1'));
  }
  return undefined;
}
