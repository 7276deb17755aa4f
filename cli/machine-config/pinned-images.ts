import { makePinnedImageSet, type PinnedImageSetOptions } from '../../src/manifests/pinned-image-set.ts';
import { objectNameFrom } from '../../src/spec/object-name.ts';
import type { PinnedImagesFlags } from '../commands/machine-config/pinned-images.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests, readSpec } from './manifests.ts';

/** Prints the set that flags ask for, or one for each pool of a spec. */
export async function printPinnedImages(flags: PinnedImagesFlags, context: CliContext): Promise<void> {
  const { file, name, pool, image } = flags;
  const options = file === undefined ? [{ name, pool }] : await optionsOfSpec(flags, file, context);
  const objects = options.map((one) =>
    fromFlags({ images: '--image' }, () =>
      makePinnedImageSet(defined({ ...one, images: image }) as unknown as PinnedImageSetOptions),
    ),
  );
  printManifests(objects, flags, context);
}

async function optionsOfSpec(
  { name, pool }: PinnedImagesFlags,
  file: string,
  context: CliContext,
): Promise<readonly { readonly name: string; readonly pool: string }[]> {
  const set = await readSpec(file, { name, pool }, context);
  return set.rollout.pools.map((one) => ({ name: objectNameFrom(`${one}-${set.name}`), pool: one }));
}
