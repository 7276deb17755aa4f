import { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config pinned-images`. */
export interface PinnedImagesFlags extends ManifestFlags {
  readonly file?: string;
  readonly name?: string;
  readonly pool?: string;
  readonly image?: readonly string[];
}

/** `kmodlayer machine-config pinned-images`: images that nodes have before they need them. */
export function pinnedImagesCommand(context: CliContext): Command {
  const command = new Command('pinned-images')
    .description('a PinnedImageSet: images that the nodes of a pool pull at once and keep')
    .option('--name <name>', 'name of the set')
    .option('--pool <pool>', 'MachineConfigPool whose nodes pull the images')
    .addOption(repeatable('--image <image>', 'an image by digest; may be repeated'))
    .option('-f, --file <spec>', 'one for each pool of this kmodlayer.yaml; a spec has no digests of images');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer machine-config pinned-images --name worker-ice --pool worker \\
    --image quay.io/acme/ice-kmod@sha256:4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d | oc apply -f -
  kmodlayer machine-config pinned-images -f kmodlayer.yaml \\
    --image quay.io/acme/ice-kmod@sha256:4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d`,
    )
    .action(async (flags: PinnedImagesFlags) => {
      const { printPinnedImages } = await import('../../machine-config/pinned-images.ts');
      await printPinnedImages(flags, context);
    });
}
