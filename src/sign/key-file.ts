import { createPrivateKey, createPublicKey, sign, type KeyObject, type PrivateKeyInput } from 'node:crypto';
import { promisify } from 'node:util';
import { SignError } from '../errors.ts';
import { parseCertificate } from './certificate.ts';
import type { Signer } from './signer.ts';

export interface KeyFileOptions {
  /** A private key in PEM or DER: PKCS#8, also encrypted, PKCS#1 or SEC 1. */
  readonly key: Uint8Array;
  /** Passphrase of an encrypted key. */
  readonly passphrase?: string | undefined;
  /** The certificate of the key, in PEM or DER. */
  readonly certificate: Uint8Array;
}

const signBytes = promisify<string, Uint8Array, KeyObject, Buffer>(sign);

/**
 * A signer that holds its key in memory.
 *
 * @throws {SignError} `KEY_UNREADABLE`, `KEY_UNSUPPORTED` for other keys than RSA and ECDSA, `CERTIFICATE_INVALID`,
 * `KEY_MISMATCH` when the certificate belongs to another key.
 */
export function makeKeyFileSigner({ key, passphrase, certificate: pem }: KeyFileOptions): Signer {
  const privateKey = readPrivateKey(key, passphrase);
  const keyType = privateKey.asymmetricKeyType;
  if (keyType !== 'rsa' && keyType !== 'ec') {
    throw new SignError('KEY_UNSUPPORTED', `Cannot sign modules with a key of type ${keyType ?? 'unknown'}`, {
      hint: 'Use RSA, which every kernel verifies; ECDSA works where the kernel has CONFIG_CRYPTO_ECDSA.',
    });
  }
  const certificate = parseCertificate(pem);
  // The types first: OpenSSL takes a comparison of two types for an error, which the next call would then report.
  const isPair =
    certificate.publicKey.asymmetricKeyType === keyType &&
    createPublicKey(privateKey).equals(certificate.publicKey);
  if (!isPair) {
    const name = certificate.subjectCommonName ?? 'without a name';
    throw new SignError('KEY_MISMATCH', `Cannot sign modules: certificate ${name} belongs to another key`, {
      hint: 'Compare "openssl pkey -in KEY -pubout" with "openssl x509 -in CERTIFICATE -noout -pubkey".',
    });
  }
  return { certificate, sign: (data, hash) => signBytes(hash, data, privateKey) };
}

function readPrivateKey(bytes: Uint8Array, passphrase: string | undefined): KeyObject {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const secret = passphrase === undefined ? {} : { passphrase };
  const isPem = key.includes('-----BEGIN ');
  const forms: readonly PrivateKeyInput[] = isPem
    ? [{ key, format: 'pem', ...secret }]
    : (['pkcs8', 'pkcs1', 'sec1'] as const).map((type) => ({ key, format: 'der', type, ...secret }));
  let cause: unknown;
  for (const form of forms) {
    try {
      return createPrivateKey(form);
    } catch (error) {
      cause ??= error;
    }
  }
  // Only OpenSSL's reason goes along, never any of the key.
  const needsPassphrase = isPem && passphrase === undefined && key.includes('ENCRYPTED');
  throw new SignError(
    'KEY_UNREADABLE',
    needsPassphrase ? 'Cannot read a private key: it is encrypted' : 'Cannot read a private key',
    {
      cause,
      hint: needsPassphrase
        ? 'Give its passphrase.'
        : 'Give a private key in PEM or DER, and the right passphrase when it is encrypted.',
    },
  );
}
