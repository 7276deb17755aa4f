import { hexOf } from '../oci/digest.ts';
import type { Signatures } from '../resolve/signatures/verification-policy.ts';

/** Signatures of a release, where clusters look for them without a store. */
export interface SignatureMap {
  readonly apiVersion: 'v1';
  readonly kind: 'ConfigMap';
  readonly metadata: {
    readonly name: string;
    readonly namespace: 'openshift-config-managed';
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly binaryData: Readonly<Record<string, string>>;
}

/** One ConfigMap for each release: the key of a signature is `sha256-<hex>-<n>`, its value base64. */
export function makeSignatureMaps(signatures: Signatures): readonly SignatureMap[] {
  return [...signatures].map(([digest, list]) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `sha256-${hexOf(digest)}`,
      namespace: 'openshift-config-managed',
      labels: { 'release.openshift.io/verification-signatures': '' },
    },
    binaryData: Object.fromEntries(
      list.map((bytes, at) => [`sha256-${hexOf(digest)}-${at + 1}`, Buffer.from(bytes).toString('base64')]),
    ),
  }));
}
