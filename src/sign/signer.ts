import type { Certificate } from './certificate.ts';
import type { SignatureHash } from './hash.ts';

/** Somebody who signs with a key that we need not see: in a file, behind PKCS#11, in an external command. */
export interface Signer {
  /** The certificate that belongs to the key. */
  readonly certificate: Certificate;
  /**
   * Signs bytes, hashed first. Gives the bare signature value: PKCS#1 v1.5 for RSA, the DER form of r and s for ECDSA.
   *
   * @throws {SignError} `KEY_UNREADABLE` when the key cannot be used.
   */
  readonly sign: (data: Uint8Array, hash: SignatureHash) => Promise<Uint8Array>;
}
