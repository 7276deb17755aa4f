import { readFile } from 'node:fs/promises';
import { ModuleError, SpecError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { configForKernel } from '../src/kmod/depmod/config.ts';
import { indexTree, readIndexFormat } from '../src/kmod/depmod/index-tree.ts';
import type { AddedModule, Precedence } from '../src/kmod/depmod/select-modules.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import type { BaseDirectory } from './base-directory.ts';
import { reasonOf } from './io/read-input.ts';
import { listModuleFiles, type ModuleFile } from './module-files.ts';

/** Files that are read at a time. */
const READERS = 4;

/**
 * Computes all indexes of a directory from its modules and those that are added, as `depmod -a` does. Where the directory
 * has indexes, they say which depmod to be; their content does not count.
 *
 * @throws {ModuleError} as `indexTree`, and as reading a module does; {SpecError} `SPEC_UNREADABLE`.
 */
export async function indexDirectory(
  { directory, indexes, config }: BaseDirectory,
  added: readonly AddedModule[],
  kernelRelease: KernelRelease,
): Promise<{
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly overridden: readonly Precedence[];
  readonly shadowed: readonly Precedence[];
  readonly excluded: readonly string[];
}> {
  const addedPaths = new Set(added.map(({ path }) => path));
  const files = await listModuleFiles(directory, configForKernel(config, kernelRelease));
  const modules = await readAll(files.filter(({ path }) => !addedPaths.has(path)));
  modules.push(...added);
  const isBigEndian = modules.some(({ module }) => !module.isLittleEndian);
  const format = readIndexFormat(indexes, isBigEndian ? 'big' : 'little');
  const made = indexTree({ modules, config, kernelRelease, format, files: indexes });
  return { ...made, overridden: [] };
}

async function readAll(files: readonly ModuleFile[]): Promise<AddedModule[]> {
  const modules: AddedModule[] = [];
  let next = 0;
  const readNext = async (): Promise<void> => {
    for (let at = next++; at < files.length; at = next++) {
      const file = files[at];
      if (file !== undefined) modules[at] = { path: file.path, module: await readOne(file) };
    }
  };
  await Promise.all(Array.from({ length: READERS }, readNext));
  return modules;
}

async function readOne({ path, file }: ModuleFile): Promise<AddedModule['module']> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new SpecError('SPEC_UNREADABLE', `Cannot read ${file}: ${reasonOf(cause)}`, { cause });
  });
  try {
    return readModule(await decompressModule(bytes));
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    const { code, message, hint } = error;
    throw new ModuleError(code, `${message} (${path})`, { hint, cause: error });
  }
}
