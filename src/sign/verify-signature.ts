import { createHash, verify } from 'node:crypto';
import { SignError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { parseSignedData, type SignerId, type SignerInfo } from './cms.ts';
import { findHash, type KnownHash } from './hash.ts';
import { splitSignature } from './module-signature.ts';

/** What a kernel that trusts some certificates would say of a module's signature. */
export type SignatureVerdict =
  | { readonly status: 'valid'; readonly certificate: Certificate; readonly hash: KnownHash }
  | { readonly status: 'unsigned' }
  /** Signed, by a key that is not among the certificates. */
  | { readonly status: 'unknown-key'; readonly id: SignerId }
  /** Malformed, or made for other bytes; `why` says which. */
  | { readonly status: 'invalid'; readonly why: string };

/**
 * Verifies the signature of an uncompressed module against certificates. The kernel checks the last signature of a
 * module that has several, and so do we. Never throws for what the module holds.
 */
export function verifyModuleSignature(
  bytes: Uint8Array,
  certificates: readonly Certificate[],
): SignatureVerdict {
  try {
    const { module, cms } = splitSignature(bytes);
    if (cms === undefined) return { status: 'unsigned' };
    const verdicts = parseSignedData(cms).map((signer) => verifySigner(module, signer, certificates));
    // All signers must hold that we know; one that we do not know does not spoil those that we do.
    const [first] = verdicts;
    return (
      verdicts.find((verdict) => verdict.status === 'invalid') ??
      verdicts.find((verdict) => verdict.status === 'valid') ??
      first ?? { status: 'invalid', why: 'nobody signed it' }
    );
  } catch (error) {
    if (error instanceof SignError) return { status: 'invalid', why: error.message };
    throw error;
  }
}

function verifySigner(
  module: Buffer,
  signer: SignerInfo,
  certificates: readonly Certificate[],
): SignatureVerdict {
  const candidates = certificates.filter((certificate) => isNamed(certificate, signer.id));
  if (candidates.length === 0) return { status: 'unknown-key', id: signer.id };
  const hash = findHash(signer.digestOid);
  if (hash === undefined) return { status: 'invalid', why: `its hash ${signer.digestOid} is not known` };

  let signedBytes = module;
  if (signer.attributes !== undefined) {
    const { messageDigest } = signer.attributes;
    if (messageDigest?.equals(createHash(hash).update(module).digest()) !== true) {
      return { status: 'invalid', why: 'it was made for other bytes' };
    }
    ({ signedBytes } = signer.attributes);
  }
  const certificate = candidates.find(({ publicKey }) => {
    try {
      return verify(hash, signedBytes, publicKey, signer.signature);
    } catch {
      return false; // A key that cannot verify at all, or a hash that this OpenSSL refuses.
    }
  });
  return certificate === undefined
    ? { status: 'invalid', why: 'it was made for other bytes or by another key' }
    : { status: 'valid', certificate, hash };
}

function isNamed(certificate: Certificate, id: SignerId): boolean {
  if (id.kind === 'key-id') return certificate.subjectKeyId?.equals(id.keyId) === true;
  return certificate.issuer.equals(id.issuer) && certificate.serial.equals(id.serial);
}
