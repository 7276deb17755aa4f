import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
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
import { findModinfo, type KernelModule } from '../src/kmod/module.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import type { DepmodFlags } from './commands/depmod.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { printResult } from './report/output.ts';
import { formatSize } from './report/sizes.ts';
import { formatTable } from './report/table.ts';

const CONFIG_DIRECTORIES = [
  'etc/depmod.d',
  'run/depmod.d',
  'usr/local/lib/depmod.d',
  'usr/lib/depmod.d',
  'lib/depmod.d',
];

/**
 * Merges modules into the indexes of a directory and writes those that change.
 *
 * @throws {SpecError} `USAGE`, {ModuleError} as `mergeIndexes`, and `KERNEL_MISMATCH`.
 */
export async function mergeDirectory(flags: DepmodFlags, context: CliContext): Promise<void> {
  const { kernel } = flags;
  const base = await openBase(resolve(context.cwd, flags.base), kernel);
  const added = await Promise.all(flags.add.map((text) => readAdded(text, kernel, context)));

  const { files, overridden, shadowed, excluded } = await merge(base, added, kernel);

  const written = [...files].map(([name, bytes]) => ({
    name,
    bytes,
    file: resolve(context.cwd, flags.out, name),
  }));
  for (const { file, bytes } of written) await writeOutput(file, bytes);
  await printResult(context, flags.output, {
    verb: 'depmod',
    data: {
      kernel,
      written: written.map(({ name, file, bytes }) => ({ name, file, sizeBytes: bytes.length })),
      overridden,
      shadowed,
      excluded,
    },
    text: () =>
      formatTable(
        ['INDEX', 'SIZE', 'WRITTEN TO'],
        written.map(({ name, file, bytes }) => [name, formatSize(bytes.length), file]),
      ) +
      overridden.map(({ winner, loser }) => `${winner} takes the place of ${loser}\n`).join('') +
      shadowed.map(({ winner, loser }) => `${loser} has no effect: ${winner} wins\n`).join('') +
      excluded.map((path) => `${path} has no effect: depmod.d excludes it\n`).join(''),
  });
}

interface BaseDirectory {
  /** Directory with the `modules.*` files. */
  readonly directory: string;
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly config: DepmodConfig;
}

async function openBase(base: string, kernel: KernelRelease): Promise<BaseDirectory> {
  for (const below of ['usr/lib/modules', 'lib/modules']) {
    const directory = join(base, below, kernel);
    const indexes = await readIndexes(directory);
    if (indexes !== undefined) return { directory, indexes, config: await readConfig(base) };
  }
  const indexes = await readIndexes(base);
  // A directory of modules alone does not say in which order depmod searches: that of RHEL is taken.
  if (indexes !== undefined) return { directory: base, indexes, config: RHEL_DEPMOD_CONFIG };
  throw new SpecError('USAGE', `Cannot merge into ${base}: it has no modules.dep for kernel ${kernel}`, {
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

async function readAdded(text: string, kernel: KernelRelease, context: CliContext): Promise<AddedModule> {
  const match = /^(?<file>.+?\.ko(?:\.(?:gz|xz|zst))?)(?::(?<path>[^:]+))?$/.exec(text);
  const file = match?.groups?.['file'];
  const path = match?.groups?.['path'] ?? (file === undefined ? '' : `extra/${basename(file)}`);
  const isPlain = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (file === undefined || !isPlain || !/\.ko(?:\.(?:gz|xz|zst))?$/.test(path)) {
    throw new SpecError('USAGE', `Cannot add ${JSON.stringify(text)}`, {
      hint: 'Write FILE.ko, or FILE.ko:PATH with a path such as extra/ice/ice.ko.',
    });
  }
  const module = readModule(await decompressModule(await readInput(makeFiles(context.cwd), file)));
  const built = findModinfo(module, 'vermagic')?.split(' ')[0];
  if (built !== kernel) {
    throw new ModuleError(
      'KERNEL_MISMATCH',
      `Cannot add ${file}: it was built for kernel ${built ?? '(it has no vermagic)'}, not for ${kernel}`,
      { hint: 'Build the module for this kernel.' },
    );
  }
  return { path, module };
}

/** Modules of the base are read only when the merge cannot do without them. */
async function merge(
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
