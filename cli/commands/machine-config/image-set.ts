import { Command, Option } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config image-set`. */
export interface ImageSetFlags extends ManifestFlags {
  readonly file?: string;
  readonly arch?: readonly string[];
  readonly channel?: 'stable' | 'fast' | 'eus' | 'candidate';
  readonly image?: readonly string[];
}

/** `kmodlayer machine-config image-set`: what oc-mirror takes to a site without the internet. */
export function imageSetCommand(context: CliContext): Command {
  const command = new Command('image-set')
    .description('an ImageSetConfiguration for oc-mirror: releases, and the images that were built for them')
    .argument('[release...]', 'versions, such as 4.18.4')
    .option(
      '-f, --file <spec>',
      'the releases of this kmodlayer.yaml, as its lock file has them when there is one',
    )
    .addOption(
      repeatable('--arch <arch>', 'an architecture of the releases; may be repeated (default: x86_64)'),
    )
    .addOption(
      new Option(
        '--channel <kind>',
        'channels that have the releases (default: that of the lock file; else stable, and candidate for pre-releases)',
      ).choices(['stable', 'fast', 'eus', 'candidate']),
    )
    .addOption(repeatable('--image <image>', 'an image besides, by digest or by tag; may be repeated'));
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
oc-mirror passes over names with both a tag and a digest: the tag of such an image is left out.

Examples:
  kmodlayer machine-config image-set 4.18.4 --arch x86_64 --arch aarch64 \\
    --image quay.io/acme/rhcos-nic@sha256:4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d > imageset.yaml
  kmodlayer machine-config image-set -f kmodlayer.yaml --image quay.io/acme/nic-kmod:5.14.0-427.50.1.el9_4.x86_64`,
    )
    .action(async (releases: readonly string[], flags: ImageSetFlags) => {
      const { printImageSet } = await import('../../machine-config/image-set.ts');
      await printImageSet(releases, flags, context);
    });
}
