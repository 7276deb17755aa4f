import { createHash } from 'node:crypto';

/**
 * Version of the way layers are laid out. Goes up when the same inputs would give another layer, so that images of
 * before are not taken for those of now.
 */
export const LAYOUT_VERSION = 1;

/** JSON with sorted keys: equal values give equal text, whatever order they were made in. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}

/** Hash over everything that decides what is in an image: 64 hex digits. */
export function inputHashOf(inputs: Readonly<Record<string, unknown>>): string {
  return createHash('sha256')
    .update(canonicalJson({ ...inputs, layoutVersion: LAYOUT_VERSION }))
    .digest('hex');
}
