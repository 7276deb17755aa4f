import { createHash } from 'node:crypto';
import type { Brand } from '../brand.ts';
import { OciError } from '../errors.ts';

/** Content address of some bytes: `sha256:` and 64 lower-case hex digits. */
export type Digest = Brand<string, 'Digest'>;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Reads a digest.
 *
 * @throws {OciError} `DIGEST_INVALID` when `text` is not a sha256 digest.
 */
export function parseDigest(text: string): Digest {
  if (!DIGEST.test(text)) {
    throw new OciError('DIGEST_INVALID', `Cannot parse digest ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'A digest is "sha256:" followed by 64 lower-case hex digits.',
    });
  }
  return text as Digest;
}

/** Says whether `text` is a sha256 digest. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** Digest of bytes that we hold: the only way a digest is ever made. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** A digest that is computed while bytes pass by. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Digest;
}

/** Starts hashing a stream of bytes. */
export function makeHasher(): Hasher {
  const hash = createHash('sha256');
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => `sha256:${hash.digest('hex')}` as Digest,
  };
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
