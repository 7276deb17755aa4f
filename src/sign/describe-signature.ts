import { parseSignedData, type SignerId } from './cms.ts';
import { readDer } from './der.ts';
import { findCommonName } from './distinguished-name.ts';
import { findHash } from './hash.ts';
import { splitSignature } from './module-signature.ts';

/** A module's signature, with the fields that `modinfo` prints of it. */
export interface SignatureDescription {
  /** `sig_id`: the kernel reads no other form. */
  readonly idType: 'PKCS#7';
  /** `signer`: common name of the certificate's issuer; undefined when the signature names a key only. */
  readonly signer: string | undefined;
  /** `sig_key`: serial number of the certificate, or the identifier of the key, in hex with colons. */
  readonly key: string;
  readonly keyKind: 'serial' | 'key-id';
  /** `sig_hashalgo`; the object identifier of one that is not known. */
  readonly hash: string;
  /** Bytes of the CMS message. */
  readonly sizeBytes: number;
}

/**
 * Describes the signature of an uncompressed module; undefined for one that has none. Proves nothing: see
 * `verifyModuleSignature`.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for a malformed one.
 */
export function describeSignature(bytes: Uint8Array): SignatureDescription | undefined {
  const { cms } = splitSignature(bytes);
  if (cms === undefined) return undefined;
  const [signer] = parseSignedData(cms);
  if (signer === undefined) return undefined;
  return {
    idType: 'PKCS#7',
    ...describeSigner(signer.id),
    hash: findHash(signer.digestOid) ?? signer.digestOid,
    sizeBytes: cms.length,
  };
}

function describeSigner(id: SignerId): Pick<SignatureDescription, 'signer' | 'key' | 'keyKind'> {
  if (id.kind === 'key-id') return { signer: undefined, key: hexWithColons(id.keyId), keyKind: 'key-id' };
  const number = readDer(id.serial).content;
  // A leading zero only says that the number is positive.
  const serial = number.length > 1 && number[0] === 0 ? number.subarray(1) : number;
  return { signer: findCommonName(id.issuer), key: hexWithColons(serial), keyKind: 'serial' };
}

function hexWithColons(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}
