import { RegistryError, SpecError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { Digest } from '../../oci/digest.ts';
import { readSmallBlob } from '../../oci/open-image.ts';
import { formatReference, parseReference, type RegistryReference } from '../../oci/reference.ts';
import type { Repository } from '../../registry/repository.ts';
import { copyImage, readWholeImage } from '../copy-image.ts';
import {
  BUNDLE_TAG,
  type Bundle,
  type BundledImage,
  descriptionOf,
  MAX_BUNDLE_BYTES,
  parseBundle,
} from './bundle-manifest.ts';

/** An image of a bundle, where it is now. */
export interface ImportedImage extends BundledImage {
  readonly mirror: RegistryReference;
  /** True when its tag pointed to it before. */
  readonly wasThere: boolean;
  readonly copiedBytes: number;
}

/**
 * Reads what an archive says that it holds.
 *
 * @throws {RegistryError} `LAYOUT_INVALID` for an archive that is no bundle, or was damaged.
 */
export async function readBundle(archive: Repository): Promise<Bundle> {
  const where = formatReference(archive.reference);
  const manifest = await archive.getManifest(BUNDLE_TAG).catch((error: unknown) => {
    if (!(error instanceof RegistryError && error.code === 'NOT_FOUND')) throw error;
    throw new RegistryError(
      'LAYOUT_INVALID',
      `Cannot use ${where} as a bundle: it has no tag ${BUNDLE_TAG}`,
      {
        cause: error,
        hint: 'Name an archive that "kmodlayer bundle create" made.',
      },
    );
  });
  return parseBundle(await readSmallBlob(archive, descriptionOf(manifest, where), MAX_BUNDLE_BYTES), where);
}

/**
 * Where a repository of a bundle goes.
 *
 * @param prefix `registry.example.com:5000`, or a namespace or repository there.
 * @throws {SpecError} `USAGE` for what is no place in a registry; {OciError} `REFERENCE_INVALID`.
 */
export function mirrorOf(
  prefix: string,
  { repository }: Pick<BundledImage, 'repository'>,
): RegistryReference {
  const place = parseReference(`${prefix.replace(/\/+$/, '')}/${repository}`);
  if (place.transport === 'docker') return place;
  throw new SpecError('USAGE', `Cannot import a bundle to ${JSON.stringify(prefix.slice(0, 200))}`, {
    hint: 'Name a registry or a namespace of one, for instance registry.example.com:5000/mirror.',
  });
}

/**
 * Copies all images of a bundle to repositories below a prefix, each under its tag: registries drop what has none. Run
 * again, it copies what is missing.
 *
 * @throws {RegistryError} as the repositories do; the images before are then there.
 */
export async function importBundle(
  { images }: Bundle,
  { archive, prefix }: { readonly archive: Repository; readonly prefix: string },
  io: Pick<Io, 'images' | 'report' | 'signal'>,
): Promise<readonly ImportedImage[]> {
  const places = images.map((image) => ({ image, mirror: mirrorOf(prefix, image) }));
  const placed = new Map<Digest, Repository>();
  const imported: ImportedImage[] = [];
  for (const { image, mirror } of places) {
    io.signal.throwIfAborted();
    const whole = await readWholeImage(archive, image.digest);
    const to = await io.images.open(mirror, 'write');
    const copied = await copyImage({ image: whole, from: archive, to, tag: image.tag, placed }, io);
    imported.push({ ...image, mirror, ...copied });
  }
  return imported;
}
