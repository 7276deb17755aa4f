import { basename, resolve } from 'node:path';
import { ModuleError, SpecError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import type { AddedModule, Precedence } from '../src/kmod/depmod/select-modules.ts';
import { findModinfo } from '../src/kmod/module.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { isDirectory, mergeIntoDirectory, openBaseDirectory, openTree } from './base-directory.ts';
import type { DepmodFlags } from './commands/depmod.ts';
import type { CliContext } from './context.ts';
import { readNamedConfig } from './depmod-config.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { printResult } from './report/output.ts';
import { formatSize } from './report/sizes.ts';
import { formatTable } from './report/table.ts';

/** What is told of the indexes that were made. */
interface Made {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly overridden: readonly Precedence[];
  readonly shadowed: readonly Precedence[];
  readonly excluded: readonly string[];
}

/**
 * Merges modules into the indexes of a directory or an image, or computes all indexes of a directory anew, and writes
 * those that change, or all.
 *
 * @throws {SpecError} `USAGE`, `SPEC_UNREADABLE`; {ModuleError} as `mergeIndexes` and `indexTree`, and `KERNEL_MISMATCH`;
 * as opening and reading images does.
 */
export async function runDepmod(flags: DepmodFlags, context: CliContext): Promise<void> {
  const { kernel } = flags;
  const { files, overridden, shadowed, excluded } = await makeIndexes(flags, context);

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

async function makeIndexes(flags: DepmodFlags, context: CliContext): Promise<Made> {
  const { kernel, add = [] } = flags;
  if (flags.full !== true && add.length === 0) {
    throw new SpecError('USAGE', 'Cannot merge nothing', {
      hint: 'Name a module with --add FILE.ko, or compute all indexes anew with --full.',
    });
  }
  const added = await Promise.all(add.map((text) => readAdded(text, kernel, context)));
  const config = flags.config === undefined ? undefined : await readNamedConfig(flags.config, context.cwd);
  const directory = resolve(context.cwd, flags.base);
  if (isImageName(flags.base) && !(await isDirectory(directory))) {
    if (flags.full === true) {
      throw new SpecError('USAGE', `Cannot compute all indexes of ${flags.base} anew: it is an image`, {
        hint: 'Unpack its modules into a directory, and name that.',
      });
    }
    const { mergeIntoImage } = await import('./base-image.ts');
    return mergeIntoImage(flags, { added, config }, context);
  }
  if (flags.full === true) {
    const { indexDirectory } = await import('./index-directory.ts');
    return indexDirectory(await openTree(directory, kernel, config), added, kernel);
  }
  return mergeIntoDirectory(await openBaseDirectory(directory, kernel, config), added, kernel);
}

/** Names of images have a transport or a registry; paths begin with a dot or a slash, or are plain. */
function isImageName(name: string): boolean {
  return /^(?:oci|oci-archive|docker):/.test(name) || (!/^\.{0,2}\//.test(name) && /[:@]/.test(name));
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
