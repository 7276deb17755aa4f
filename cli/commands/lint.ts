import { Command } from 'commander';
import type { Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addArchFlag,
  addBoundaryFlags,
  addImageFlags,
  addReportOutputFlags,
  type ImageFlags,
  type ReportOutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer lint`. */
export interface LintFlags extends ImageFlags, ReportOutputFlags {
  readonly arch?: Arch;
  readonly base?: string;
  readonly layers?: number;
}

const BASE = 'the OS image that the images were built on, when they do not say it';

/** `kmodlayer lint <image>...`: holds layers that somebody built to the rules by which nodes import them. */
export function lintCommand(context: CliContext): Command {
  const command = new Command('lint')
    .description('find in images what a node would drop, refuse or never load')
    .argument('<image...>', 'layered OS images or kmod images, such as quay.io/a/b:tag or oci:DIR:TAG');
  addBoundaryFlags(addArchFlag(command), BASE);
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
