import { parseSignedData, type SignerInfo } from './cms.ts';
import { readDer } from './der.ts';
import { findCommonName } from './distinguished-name.ts';
import { findHash } from './hash.ts';
import { splitSignature } from './module-signature.ts';

/** One signer of a module, with the fields that `modinfo` prints of a signature. */
export interface SignerDescription {
  /** `signer`: common name of the certificate's issuer; undefined when the signature names a key only. */
  readonly signer: string | undefined;
  /** `sig_key`: serial number of the certificate, or the identifier of the key, in hex with colons. */
  readonly key: string;
  readonly keyKind: 'serial' | 'key-id';
  /** `sig_hashalgo`; the object identifier of one that is not known. */
  readonly hash: string;
}

/** A module's signature; it begins with what `modinfo` prints, which is the first signer. */
export interface SignatureDescription extends SignerDescription {
  /** `sig_id`: the kernel reads no other form. */
  readonly idType: 'PKCS#7';
  /** Bytes of the CMS message. */
  readonly sizeBytes: number;
  /** All signers, in the order of the message. */
  readonly signers: readonly [SignerDescription, ...SignerDescription[]];
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
  const [first, ...others] = parseSignedData(cms).signers.map(describeSigner);
  if (first === undefined) return undefined;
  return { idType: 'PKCS#7', ...first, sizeBytes: cms.length, signers: [first, ...others] };
}

function describeSigner({ id, digestOid }: SignerInfo): SignerDescription {
  const hash = findHash(digestOid) ?? digestOid;
  return id.kind === 'key-id'
    ? { signer: undefined, key: hexWithColons(id.keyId), keyKind: 'key-id', hash }
    : { signer: findCommonName(id.issuer), key: keyOfSerial(id.serial), keyKind: 'serial', hash };
}

/** A serial number as `modinfo` prints it in `sig_key`. */
export function keyOfSerial(der: Buffer): string {
  const number = readDer(der).content;
  // A leading zero only says that the number is positive.
  return hexWithColons(number.length > 1 && number[0] === 0 ? number.subarray(1) : number);
}

function hexWithColons(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}
