import { verify } from 'node:crypto';
import { SignError } from '../errors.ts';
import { detectCompression } from '../kmod/compression.ts';
import { writeSignedData, type SignerId } from './cms.ts';
import type { Certificate } from './certificate.ts';
import type { SignatureHash } from './hash.ts';
import { appendSignature, stripSignature } from './module-signature.ts';
import type { Signer } from './signer.ts';

export interface SignOptions {
  readonly hash: SignatureHash;
  /** Names the signer by the identifier of the key, as `sign-file -k` does, not by issuer and serial number. */
  readonly useKeyId?: boolean;
}

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/**
 * The module with a signature that the kernel verifies when it loads it, byte for byte what `scripts/sign-file` writes
 * for the same key. A signature that the module has already is taken off first.
 *
 * @throws {SignError} `MODULE_INVALID` for a compressed module or no module at all, `SIGNATURE_INVALID` when the old
 * signature is malformed or the signer's value does not fit its certificate, `KEY_UNSUPPORTED`,
 * `CERTIFICATE_INVALID` when the identifier of the key is asked for and missing.
 */
export async function signModule(
  module: Uint8Array,
  signer: Signer,
  { hash, useKeyId = false }: SignOptions,
): Promise<Buffer> {
  refuseNoModule(module);
  const { certificate } = signer;
  const keyType = certificate.publicKey.asymmetricKeyType;
  if (keyType !== 'rsa' && keyType !== 'ec') {
    throw new SignError('KEY_UNSUPPORTED', `Cannot sign modules with a key of type ${keyType ?? 'unknown'}`, {
      hint: 'Use RSA, which every kernel verifies; ECDSA works where the kernel has CONFIG_CRYPTO_ECDSA.',
    });
  }
  const content = stripSignature(module);
  const signature = await signer.sign(content, hash);
  // A key outside of this process may be another one than its certificate says; nodes would find out, one by one.
  if (!verify(hash, content, certificate.publicKey, signature)) {
    throw new SignError(
      'SIGNATURE_INVALID',
      'Cannot sign a module: the signature does not fit the certificate',
      {
        hint: 'The signer uses another key, or another padding than PKCS#1 v1.5.',
      },
    );
  }
  const id = signerIdOf(certificate, useKeyId);
  return appendSignature(content, writeSignedData({ id, keyType, hash, signature }));
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
