import { basename, resolve } from 'node:path';
import { ModuleError, SpecError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import type { AddedModule } from '../src/kmod/depmod/select-modules.ts';
import { findModinfo } from '../src/kmod/module.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { mergeIntoDirectory, openBaseDirectory } from './base-directory.ts';
import type { DepmodFlags } from './commands/depmod.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { printResult } from './report/output.ts';
import { formatSize } from './report/sizes.ts';
import { formatTable } from './report/table.ts';

/**
 * Merges modules into the indexes of a directory and writes those that change.
 *
 * @throws {SpecError} `USAGE`, {ModuleError} as `mergeIndexes`, and `KERNEL_MISMATCH`.
 */
export async function mergeDirectory(flags: DepmodFlags, context: CliContext): Promise<void> {
  const { kernel } = flags;
  const base = await openBaseDirectory(resolve(context.cwd, flags.base), kernel);
  const added = await Promise.all(flags.add.map((text) => readAdded(text, kernel, context)));

  const { files, overridden, shadowed, excluded } = await mergeIntoDirectory(base, added, kernel);

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
