import { ResolveError } from '../../errors.ts';
import type { Io, NamedRelease, ReleaseSigner, ReleaseTrust } from '../../io.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatReference, pinned, type Reference } from '../../oci/reference.ts';
import { findSignatures, keepSignatures, type SignatureIo, type SignatureSearch } from './find-signatures.ts';
import type { Publisher } from './publishers.ts';
import { verifyReleaseSignature } from './release-signature.ts';
import type { Signatures, VerificationPolicy } from './verification-policy.ts';

/**
 * When signatures are looked at. `require` refuses releases without one, `off` looks at none. `auto` refuses official
 * releases for which a store answers that there is none, and warns where no store can be reached; it looks at others
 * when the user named keys, stores or signatures.
 */
export type VerifyRelease = 'auto' | 'require' | 'off';

export interface ReleaseTrustOptions {
  readonly mode: VerifyRelease;
  /** Keys that the user trusts; with any, those of known publishers do not count. */
  readonly policies: readonly VerificationPolicy[];
  /** Signatures that the user has. */
  readonly signatures: readonly Signatures[];
  /** Stores that the user names, asked before those of the policies. */
  readonly stores: readonly string[];
  /** Whose keys and stores count for a release when the user names none. */
  readonly publisherOf: (repository: Reference) => Promise<Publisher>;
}

/** What verifying needs of the outside world. */
export type TrustIo = SignatureIo & Pick<Io, 'report' | 'now'>;

/** Makes the check of releases for one run, which asks a store that cannot be reached only once. */
export function makeReleaseTrust(options: ReleaseTrustOptions, io: TrustIo): ReleaseTrust {
  const unreachable = new Map<string, string>();
  const started = new Map<Digest, Promise<ReleaseSigner | undefined>>();
  return {
    verify(release) {
      if (options.mode === 'off') return Promise.resolve(undefined);
      const running = started.get(release.digest) ?? check(release, { ...options, unreachable }, io);
      started.set(release.digest, running);
      return running;
    },
  };
}

async function check(
  { reference, digest }: NamedRelease,
  options: ReleaseTrustOptions & { readonly unreachable: Map<string, string> },
  io: TrustIo,
): Promise<ReleaseSigner | undefined> {
  const { mode, policies, signatures, unreachable } = options;
  const publisher = await options.publisherOf(reference);
  const isChosen = policies.length + options.stores.length + signatures.length > 0;
  if (mode === 'auto' && !publisher.signsAll && !isChosen) return undefined;
  const trusted = policies.length > 0 ? policies : [publisher.policy];
  const stores = new Set([...options.stores, ...trusted.flatMap((policy) => policy.stores)]);
  const search = await findSignatures(digest, { stores: [...stores], given: signatures, unreachable }, io);
  const name = formatReference(pinned(reference, digest));
  if (search.signatures.length > 0) {
    const keyrings = trusted.flatMap((policy) => policy.keyrings);
    const signer = verifyReleaseSignature(search.signatures, digest, { keyrings }, io.now());
    await keepSignatures(digest, search.signatures, io);
    io.report({
      type: 'detail',
      message: `${name} is signed by ${signer.fingerprints.join(', ')} since ${signer.signedAt.toISOString()}`,
    });
    return signer;
  }
  if (mode === 'require' || search.answered.length > 0) throw missing(name, search);
  io.report({
    type: 'warning',
    message: `the signature of ${name} was not checked: ${search.failed[0] ?? 'no store of signatures is known'}`,
    hint: 'Give signatures with --release-signatures, or say that you do without: --verify-release off.',
  });
  return undefined;
}

function missing(name: string, { answered, failed }: SignatureSearch): ResolveError {
  const where =
    answered.length > 0 ? `there is none in ${answered.join(', ')}` : (failed[0] ?? 'there is no store');
  return new ResolveError('SIGNATURE_MISSING', `Cannot find a signature of release ${name}: ${where}`, {
    hint:
      'Releases that were not published, such as nightly ones, have none: say that you do without by ' +
      '--verify-release off. Disconnected sites give theirs with --release-signatures.',
  });
}
