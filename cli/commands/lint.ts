import { Command, InvalidArgumentError, Option } from 'commander';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addReportOutputFlags,
  valueOf,
  type ImageFlags,
  type ReportOutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer lint`. */
export interface LintFlags extends ImageFlags, ReportOutputFlags {
  readonly arch?: Arch;
  readonly base?: string;
  readonly layers?: number;
}

/** `kmodlayer lint <image>...`: holds layers that somebody built to the rules by which nodes import them. */
export function lintCommand(context: CliContext): Command {
  const command = new Command('lint')
    .description('find in images what a node would drop, refuse or never load')
    .argument('<image...>', 'layered OS images or kmod images, such as quay.io/a/b:tag or oci:DIR:TAG');
  addBoundaryFlags(addArchFlag(command));
  return addImageFlags(addReportOutputFlags(command, ['sarif']))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer lint quay.io/acme/rhcos-nic:4.18.4
  kmodlayer lint oci:./image --layers 1 -o sarif --output-file lint.sarif

Ends with 1 when something is an error; warnings and notes leave it at 0.`,
    )
    .action(async (images: readonly string[], flags: LintFlags) => {
      const { lintImages } = await import('../lint-images.ts');

      await lintImages(images, flags, context);
    });
}

/** `--arch`, for images that have several. */
export function addArchFlag(command: Command): Command {
  return command.addOption(
    new Option('--arch <arch>', 'the architecture to choose in a multi-architecture image').argParser(
      valueOf(parseArch),
    ),
  );
}

/** Where the base of an image ends, for images that do not say so themselves. */
export function addBoundaryFlags(command: Command): Command {
  return command
    .option('--base <image>', 'the OS image that the image was built on, when the image does not say it')
    .addOption(
      new Option('--layers <count>', 'how many of its layers were added, when the image does not say it')
        .argParser(parseCount)
        .conflicts('base'),
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d{1,4}$/.test(text) && count > 0) return count;
  throw new InvalidArgumentError('Write a number from 1 on.');
}
