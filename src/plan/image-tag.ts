import { parseTag, type Tag, tagFrom } from '../oci/tag.ts';
import type { ImageUnit, KmodImageUnit } from './plan.ts';

/** Digits of the input hash in a tag: for people; what decides is the whole hash, which stands in the image. */
const HASH_DIGITS = 12;
const MAX_TAG_LENGTH = 128;

/** Tag of a layered image: release, kernel and input hash. */
export function imageTag({ target, inputHash }: Pick<ImageUnit, 'target' | 'inputHash'>): Tag {
  return withHash(`${target.release.version}-${target.osImage.kernel}`, inputHash);
}

/** A kmod image's own tag: kernel and input hash. */
export function kmodImageTag({ kernel, inputHash }: Pick<KmodImageUnit, 'kernel' | 'inputHash'>): Tag {
  return withHash(kernel, inputHash);
}

/** However long the name is, the hash stays. */
function withHash(name: string, inputHash: string): Tag {
  const hash = inputHash.slice(0, HASH_DIGITS);
  return parseTag(`${tagFrom(name).slice(0, MAX_TAG_LENGTH - hash.length - 1)}-${hash}`);
}
