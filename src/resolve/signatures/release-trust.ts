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
  /** Keys that the user trusts, each of these alone; with any, those of known publishers do not count. */
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
  const search: SignatureSearch = { answered: [], failed: [] };
  const places = { stores: [...stores], given: signatures, unreachable, search };
  const name = formatReference(pinned(reference, digest));
  const found: Uint8Array[] = [];
  let invalid: ResolveError | undefined;
  for await (const some of findSignatures(digest, places, io)) {
    if (some.length === 0) continue;
    found.push(...some);
    const outcome = verifyByAny(found, digest, { policies: trusted, now: io.now() });
    if (outcome instanceof ResolveError) {
      // Where it was found is not where all are: keys are changed, and stores are behind.
      invalid = outcome;
      continue;
    }
    await keepSignatures(digest, found, io);
    io.report({
      type: 'detail',
      message: `${name} is signed by ${outcome.fingerprints.join(', ')} since ${outcome.signedAt.toISOString()}`,
    });
    return outcome;
  }
  if (invalid !== undefined) throw invalid;
  if (mode === 'require' || search.answered.length > 0) throw missing(name, search);
  io.report({
    type: 'warning',
    message: `the signature of ${name} was not checked: ${search.failed[0] ?? 'no store of signatures is known'}`,
    hint: 'Give signatures with --release-signatures, or say that you do without: --verify-release off.',
  });
  return undefined;
}

/** Who signed, by the keys of one of the policies; else why by none of them. */
function verifyByAny(
  signatures: readonly Uint8Array[],
  digest: Digest,
  { policies, now }: { readonly policies: readonly VerificationPolicy[]; readonly now: Date },
): ReleaseSigner | ResolveError {
  const errors: ResolveError[] = [];
  for (const policy of policies) {
    try {
      return verifyReleaseSignature(signatures, digest, policy, now);
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      errors.push(error);
    }
  }
  const [first, ...others] = errors;
  if (first === undefined) throw new TypeError('No policy to verify a release with');
  const reasons = new Set(errors.map(({ message }) => message.replace(/^[^:]*: /, '')));
  return others.length === 0
    ? first
    : new ResolveError(
        first.code,
        `Cannot trust release ${digest}: ${[...reasons].join('; ').slice(0, 1000)}`,
        {
          hint: first.hint,
        },
      );
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
