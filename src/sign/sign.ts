import { SignError } from '../errors.ts';
import { detectCompression } from '../kmod/compression.ts';
import { parseSignedData, writeSignedData, writeSignerInfo, type SignerId } from './cms.ts';
import type { Certificate } from './certificate.ts';
import { findHash, type SignatureHash } from './hash.ts';
import { appendSignature, stripSignature } from './module-signature.ts';
import type { Signer } from './signer.ts';
import { verifyModuleSignature } from './verify-signature.ts';

export interface SignOptions {
  readonly hash: SignatureHash;
  /** Names the signer by the identifier of the key, as `sign-file -k` does, not by issuer and serial number. */
  readonly useKeyId?: boolean;
  /** Name of the module, for signers that keep a record. */
  readonly module?: string;
}

/** Somebody to sign with, and how. */
export interface SignatureRequest extends Omit<SignOptions, 'module'> {
  readonly signer: Signer;
}

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/**
 * The module with a signature that the kernel verifies when it loads it, byte for byte what `scripts/sign-file` writes
 * for the same key. A signature that the module has already is taken off first.
 *
 * @throws {SignError} `MODULE_INVALID` for a compressed module or no module at all, `SIGNATURE_INVALID` when the old
 * signature is malformed or the signer's value does not fit its certificate, `KEY_UNSUPPORTED`,
 * `CERTIFICATE_INVALID` when the identifier of the key is asked for and missing; and what the signer throws.
 */
export async function signModule(
  module: Uint8Array,
  signer: Signer,
  { module: name, ...how }: SignOptions,
): Promise<Buffer> {
  return signModuleByAll(module, [{ signer, ...how }], name);
}

/**
 * The module with one signature that names several signers: the kernel takes it when it trusts one of them. That is how
 * a key is replaced while some nodes know the old one and some the new one. Signatures after each other would not do:
 * kernels read the last one only.
 *
 * @throws {SignError} as `signModule` does.
 */
export async function signModuleByAll(
  module: Uint8Array,
  requests: readonly SignatureRequest[],
  name?: string,
): Promise<Buffer> {
  refuseNoModule(module);
  const content = stripSignature(module);
  const parts: SignerPart[] = [];
  for (const request of requests) parts.push(await signPart(content, request, name));
  const [only] = parts;
  const cms =
    parts.length === 1 && only?.message !== undefined
      ? only.message
      : writeSignedData(parts.map(({ signerInfo }) => signerInfo));
  return appendSignature(content, requireAccepted(content, cms, requests));
}

interface SignerPart {
  readonly signerInfo: Buffer;
  /** The message that it came in, when the signer made one. */
  readonly message: Buffer | undefined;
}

async function signPart(
  content: Buffer,
  { signer, hash, useKeyId = false }: SignatureRequest,
  module: string | undefined,
): Promise<SignerPart> {
  const { certificate } = signer;
  const keyType = certificate.publicKey.asymmetricKeyType;
  if (keyType !== 'rsa' && keyType !== 'ec') {
    throw new SignError('KEY_UNSUPPORTED', `Cannot sign modules with a key of type ${keyType ?? 'unknown'}`, {
      hint: 'Use RSA, which every kernel verifies; ECDSA works where the kernel has CONFIG_CRYPTO_ECDSA.',
    });
  }
  const answer = await signer.sign({ data: content, hash, module });
  if (answer.type === 'value') {
    const id = signerIdOf(certificate, useKeyId);
    const signerInfo = writeSignerInfo({ id, keyType, hash, signature: answer.value });
    return { signerInfo, message: undefined };
  }
  const { signers } = parseSignedData(answer.cms);
  const [info] = signers;
  if (info === undefined || signers.length > 1) {
    throw unfit(`its message has ${signers.length} signers`, 'Let the signer sign with one key.');
  }
  const found = findHash(info.digestOid) ?? info.digestOid;
  if (found !== hash) {
    throw unfit(`it signed with ${found}, not with ${hash}`, 'Give "hash" the one that the signer uses.');
  }
  return { signerInfo: info.der, message: answer.cms };
}

/** A key outside of this process may be another one than its certificate says; nodes would find out, one by one. */
function requireAccepted(content: Buffer, cms: Buffer, requests: readonly SignatureRequest[]): Buffer {
  const signed = appendSignature(content, cms);
  for (const { signer } of requests) {
    const verdict = verifyModuleSignature(signed, [signer.certificate]);
    if (verdict.status === 'valid') continue;
    if (verdict.status === 'invalid' && verdict.reason === 'tampered') {
      throw unfit(
        'the signature does not fit the certificate',
        'The signer uses another key, or another padding than PKCS#1 v1.5.',
      );
    }
    throw verdict.status === 'invalid'
      ? unfit(verdict.why, 'The message must be as "openssl cms -sign -binary -noattr -nosmimecap" makes it.')
      : unfit('its message names another certificate', 'Give the certificate that the signer signs with.');
  }
  return cms;
}

function unfit(why: string, hint: string): SignError {
  return new SignError('SIGNATURE_INVALID', `Cannot sign a module: ${why}`, { hint });
}

function refuseNoModule(module: Uint8Array): void {
  const compression = detectCompression(module);
  if (compression !== 'none') {
    throw new SignError('MODULE_INVALID', `Cannot sign a module that is compressed (${compression})`, {
      hint: 'Sign before compressing: the kernel looks for the signature in the unpacked module.',
    });
  }
  if (!ELF_MAGIC.equals(module.subarray(0, ELF_MAGIC.length))) {
    throw new SignError('MODULE_INVALID', 'Cannot sign a file that is no kernel module', {
      hint: 'Modules are ELF files, named .ko.',
    });
  }
}

function signerIdOf(certificate: Certificate, useKeyId: boolean): SignerId {
  if (!useKeyId) {
    return { kind: 'issuer-and-serial', issuer: certificate.issuer, serial: certificate.serial };
  }
  if (certificate.subjectKeyId === undefined) {
    throw new SignError(
      'CERTIFICATE_INVALID',
      'Cannot name the signer by its key: the certificate has no key identifier',
      {
        hint: 'Name it by issuer and serial number, which is the default.',
      },
    );
  }
  return { kind: 'key-id', keyId: certificate.subjectKeyId };
}
