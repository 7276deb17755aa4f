import type { Brand } from '../brand.ts';
import { OciError } from '../errors.ts';

/** A tag as registries accept it: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`. */
export type Tag = Brand<string, 'Tag'>;

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/** @throws {OciError} `TAG_INVALID` when `text` is not a tag. */
export function parseTag(text: string): Tag {
  if (!isTag(text)) {
    throw new OciError('TAG_INVALID', `Cannot parse tag ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'A tag has at most 128 letters, digits, "_", "." and "-", and starts with a letter, a digit or "_".',
    });
  }
  return text;
}

/**
 * Turns any text into a tag: each character outside `[A-Za-z0-9._-]` becomes `_`, as KMM does with the `+` of a
 * kernel release; longer texts are cut at 128.
 */
export function tagFrom(text: string): Tag {
  const tag = text.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 128);
  return parseTag(/^[.-]/.test(tag) ? `_${tag.slice(0, 127)}` : tag);
}
