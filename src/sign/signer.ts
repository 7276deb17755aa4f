import type { Certificate } from './certificate.ts';
import type { SignatureHash } from './hash.ts';

/** What is to be signed. */
export interface SignRequest {
  /** The module without a signature. */
  readonly data: Uint8Array;
  readonly hash: SignatureHash;
  /** Name of the module, for services that keep a record; undefined when nobody knows. */
  readonly module?: string | undefined;
}

/** What a signer gives. */
export type SignerAnswer =
  /** The bare signature value: PKCS#1 v1.5 for RSA, the DER form of r and s for ECDSA. */
  | { readonly type: 'value'; readonly value: Uint8Array }
  /** A detached CMS SignedData in DER, made by the signer itself. */
  | { readonly type: 'cms'; readonly cms: Buffer };

/** Somebody who signs with a key that we need not see: in a file, behind PKCS#11, in an external command. */
export interface Signer {
  /** The certificate that belongs to the key. */
  readonly certificate: Certificate;
  /**
   * Signs bytes, hashed first. The answer is not trusted: whoever asks verifies it.
   *
   * @throws {SignError} `KEY_UNREADABLE` when the key cannot be used, `SIGNER_FAILED`, `TOOL_MISSING`.
   */
  readonly sign: (request: SignRequest) => Promise<SignerAnswer>;
}
