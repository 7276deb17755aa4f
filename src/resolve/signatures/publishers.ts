import { formatReference, type Reference, unpinned } from '../../oci/reference.ts';
import { OKD_RELEASE_REPOSITORY, RELEASE_REPOSITORY } from '../release-reference.ts';
import type { VerificationPolicy } from './verification-policy.ts';

/** Who publishes the releases of a repository. */
export interface Publisher {
  readonly policy: VerificationPolicy;
  /** Every release in this repository is signed: one without a signature is none of its publisher's. */
  readonly signsAll: boolean;
}

/**
 * The publisher of the releases of a repository: Red Hat, or OKD for its own. A repository of another name may hold
 * copies of official releases, which their digests find the signatures of.
 */
export async function publisherOf(reference: Reference): Promise<Publisher> {
  const { VERIFICATION_OKD, VERIFICATION_OPENSHIFT } = await import('./keyrings.generated.ts');
  const { parseVerificationPolicy } = await import('./verification-policy.ts');
  const name = formatReference(unpinned(reference));
  const isOkd = name === formatReference(OKD_RELEASE_REPOSITORY);
  const text = isOkd ? VERIFICATION_OKD : VERIFICATION_OPENSHIFT;
  return {
    policy: parseVerificationPolicy(Buffer.from(text), 'the keys that come with kmodlayer'),
    signsAll: name === formatReference(RELEASE_REPOSITORY),
  };
}
