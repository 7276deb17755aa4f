import { ResolveError } from '../../errors.ts';
import type { ReleaseSigner } from '../../io.ts';
import type { Digest } from '../../oci/digest.ts';
import { verifySignedMessage } from '../openpgp/signed-message.ts';
import type { VerificationPolicy } from './verification-policy.ts';

/** Keys that the text of a signature may have at each place; any other one makes it another kind of signature. */
const KEYS = {
  '': ['critical', 'optional'],
  critical: ['type', 'image', 'identity'],
  'critical.image': ['docker-manifest-digest'],
  'critical.identity': ['docker-reference'],
} as const;

/**
 * Verifies that a release was signed by its publisher: a signed text that names the digest of the release image, or of
 * its list of architectures (containers-signature(5)).
 *
 * @throws {ResolveError} `SIGNATURE_INVALID` with what is wrong.
 */
export function verifyReleaseSignature(
  signatures: readonly Uint8Array[],
  digest: Digest,
  { keyrings }: Pick<VerificationPolicy, 'keyrings'>,
  now: Date,
): ReleaseSigner {
  const verified = keyrings.map((keys) => {
    const reasons = new Set<string>();
    for (const signature of signatures) {
      try {
        const message = verifySignedMessage(signature, keys, now);
        requireFor(digest, message.content);
        return message;
      } catch (error) {
        if (!(error instanceof ResolveError)) throw error;
        reasons.add(error.message.replace(/^[^:]*: /, ''));
      }
    }
    throw new ResolveError(
      'SIGNATURE_INVALID',
      `Cannot trust release ${digest}: ${[...reasons].join('; ').slice(0, 1000)}`,
      { hint: 'Do not use it. If you know who made it, name their key with --release-keys.' },
    );
  });
  return {
    fingerprints: verified.map(({ signedBy }) => signedBy.fingerprint),
    signedAt: new Date(Math.min(...verified.map(({ createdAt }) => createdAt.getTime()))),
  };
}

function requireFor(digest: Digest, content: Buffer): void {
  const body = objectAt(parse(content), '');
  const critical = objectAt(body['critical'], 'critical');
  const image = objectAt(critical['image'], 'critical.image');
  const identity = objectAt(critical['identity'], 'critical.identity');
  if (critical['type'] !== 'atomic container signature') throw wrong('its text is of another type');
  if (image['docker-manifest-digest'] !== digest) {
    throw wrong(`it is for ${JSON.stringify(image['docker-manifest-digest'] ?? null).slice(0, 100)}`);
  }
  const name = identity['docker-reference'];
  if (typeof name !== 'string' || name === '') throw wrong('its text names no image');
}

function parse(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8')) as unknown;
  } catch {
    throw wrong('its text is no JSON');
  }
}

function objectAt(value: unknown, path: keyof typeof KEYS): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(`its text has no object ${path}`);
  }
  const known: readonly string[] = KEYS[path];
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) throw wrong(`its text has an unknown key ${JSON.stringify(other.slice(0, 50))}`);
  return value as Readonly<Record<string, unknown>>;
}

function wrong(why: string): ResolveError {
  return new ResolveError('SIGNATURE_INVALID', `Cannot use this signature: ${why}`);
}
