import { verify } from 'node:crypto';
import { SignError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { parseSignedData, type SignerId, type SignerInfo } from './cms.ts';
import { findHash, type KnownHash } from './hash.ts';
import { whyKernelRefuses } from './kernel-rules.ts';
import { splitSignature } from './module-signature.ts';

/** What a kernel that trusts some certificates would say of a module's signature. */
export type SignatureVerdict =
  | { readonly status: 'valid'; readonly certificate: Certificate; readonly hash: KnownHash }
  | { readonly status: 'unsigned' }
  /** Signed, by a key that is not among the certificates. */
  | { readonly status: 'unknown-key'; readonly id: SignerId }
  /** Refused whatever keys the kernel trusts; `why` says it in a few words. */
  | { readonly status: 'invalid'; readonly reason: InvalidReason; readonly why: string };

/** `malformed`: not of the form that kernels read; `tampered`: made for other bytes, or not by the key that it names. */
export type InvalidReason = 'malformed' | 'tampered';

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
    const message = parseSignedData(cms);
    const refusal = whyKernelRefuses(message);
    if (refusal !== undefined) return malformed(refusal);
    const verdicts = message.signers.map((signer) => verifySigner(module, signer, certificates));
    // All signers must hold that we know; one that we do not know does not spoil those that we do.
    const [first] = verdicts;
    return (
      verdicts.find((verdict) => verdict.status === 'invalid') ??
      verdicts.find((verdict) => verdict.status === 'valid') ??
      first ??
      malformed('nobody signed it')
    );
  } catch (error) {
    if (error instanceof SignError) return malformed(error.message);
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
  if (hash === undefined) return malformed(`its hash ${signer.digestOid} is not known`);
  const certificate = candidates.find(({ publicKey }) => {
    try {
      return verify(hash, module, publicKey, signer.signature);
    } catch {
      return false; // A key that cannot verify at all, or a hash that this OpenSSL refuses.
    }
  });
  return certificate === undefined
    ? { status: 'invalid', reason: 'tampered', why: 'it was made for other bytes or by another key' }
    : { status: 'valid', certificate, hash };
}

function malformed(why: string): SignatureVerdict {
  return { status: 'invalid', reason: 'malformed', why };
}

function isNamed(certificate: Certificate, id: SignerId): boolean {
  if (id.kind === 'key-id') return certificate.subjectKeyId?.equals(id.keyId) === true;
  return certificate.issuer.equals(id.issuer) && certificate.serial.equals(id.serial);
}
