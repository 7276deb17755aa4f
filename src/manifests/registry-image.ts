import { SpecError } from '../errors.ts';
import { parseReference, type RegistryReference } from '../oci/reference.ts';

/**
 * Reads an image that nodes pull. A tag beside a digest is left out: it says nothing, and not every podman takes both.
 *
 * @throws {SpecError} `VALUE_INVALID` for layouts; {OciError} for what names no image.
 */
export function parseRegistryImage(text: string): RegistryReference {
  const reference = parseReference(text);
  if (reference.transport !== 'docker') {
    throw new SpecError('VALUE_INVALID', `Cannot use image ${text}: nodes pull from registries only`, {
      hint: 'Push the image to a registry that the nodes reach, and name it there.',
    });
  }
  const { transport, host, repository, digest } = reference;
  return digest === undefined ? reference : { transport, host, repository, digest };
}

/**
 * Reads an image that is pinned to a digest.
 *
 * @throws {SpecError} `VALUE_INVALID`; {OciError} for what names no image.
 */
export function parsePinnedImage(text: string): RegistryReference {
  const reference = parseRegistryImage(text);
  if (reference.digest !== undefined) return reference;
  throw new SpecError('VALUE_INVALID', `Cannot use image ${text}: it is not pinned to a digest`, {
    hint: 'Write REPOSITORY@sha256:....',
  });
}
