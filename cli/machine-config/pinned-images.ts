import { makePinnedImageSet, type PinnedImageSetOptions } from '../../src/manifests/pinned-image-set.ts';
import type { PinnedImagesFlags } from '../commands/machine-config/pinned-images.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests } from './manifests.ts';

/** Prints the set that flags ask for. */
export function printPinnedImages(flags: PinnedImagesFlags, context: CliContext): void {
  const { name, pool, image } = flags;
  const options = defined({ name, pool, images: image }) as unknown as PinnedImageSetOptions;
  printManifests([fromFlags({ images: '--image' }, () => makePinnedImageSet(options))], flags, context);
}
