import { RegistryError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { Arch } from '../src/oci/arch.ts';
import { type OpenedImage, openImage } from '../src/oci/open-image.ts';
import { formatReference, parseReference, pinned, type Reference } from '../src/oci/reference.ts';

/** An image that the user named. */
export interface NamedImage {
  /** By digest. */
  readonly reference: Reference;
  readonly image: OpenedImage;
}

/**
 * Opens an image by the name that a user gives, as skopeo reads it.
 *
 * @param arch The architecture to choose in a multi-architecture image.
 * @throws {OciError} `REFERENCE_INVALID`, `PLATFORM_MISSING`; {RegistryError} `NOT_FOUND` and as the repository does.
 */
export async function openNamedImage(
  name: string,
  arch: Arch | undefined,
  io: Pick<Io, 'images'>,
): Promise<NamedImage> {
  const reference = parseReference(name);
  const repository = await io.images.open(reference, 'read');
  const wanted = reference.digest ?? reference.tag ?? (await repository.defaultManifest());
  if (wanted === undefined) {
    throw new RegistryError('NOT_FOUND', `Cannot choose an image in ${formatReference(reference)}`, {
      hint: 'Add the tag or the digest of one.',
    });
  }
  const image = await openImage(repository, wanted, arch);
  return { reference: pinned(reference, image.manifest.digest), image };
}
