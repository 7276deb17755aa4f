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
  return {
    certificate,
    sign: async ({ data, hash }) => ({ type: 'value', value: await signBytes(hash, data, privateKey) }),
  };
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
  const { why, hint } = explainUnreadable(key, passphrase !== undefined);
  // Only OpenSSL's reason goes along, never any of the key.
  throw new SignError('KEY_UNREADABLE', `Cannot read a private key: ${why}`, { cause, hint });
}

/** Version 0 of PKCS#8, an algorithm, and the key; encrypted, an algorithm comes first. PKCS#12 is version 3. */
const PKCS12 = /^30(?:[0-7].|8[1-4](?:..)+?)020103/;
const ENCRYPTED_PKCS8 = /^30(?:[0-7].|8[1-4](?:..)+?)30(?:[0-7].|8[1-4](?:..)+?)0609/;

function explainUnreadable(key: Buffer, hasPassphrase: boolean): { why: string; hint: string } {
  const start = key.toString('hex', 0, 24);
  if (key.includes('-----BEGIN OPENSSH PRIVATE KEY')) {
    return { why: 'it is a key of OpenSSH', hint: 'Convert a copy with "ssh-keygen -p -m PEM -f COPY".' };
  }
  if (PKCS12.test(start)) {
    return {
      why: 'it is PKCS#12',
      hint: 'Take the key out with "openssl pkcs12 -in FILE -nocerts -out KEY".',
    };
  }
  if (key.includes('ENCRYPTED') || ENCRYPTED_PKCS8.test(start)) {
    return hasPassphrase
      ? { why: 'the passphrase is wrong', hint: 'Try it with "openssl pkey -in KEY -noout".' }
      : { why: 'it is encrypted', hint: 'Give its passphrase, by a variable or a file.' };
  }
  const other = /-----BEGIN ((?:TRUSTED )?CERTIFICATE|PUBLIC KEY)/.exec(
    key.toString('latin1', 0, 65_536),
  )?.[1];
  if (other !== undefined && !key.includes('PRIVATE KEY')) {
    return {
      why: `it holds a ${other.toLowerCase()} only`,
      hint: 'Name the file that begins with "-----BEGIN PRIVATE KEY".',
    };
  }
  return {
    why: 'it is none, or damaged',
    hint: 'Give a private key in PEM or DER: PKCS#8, PKCS#1 or SEC 1.',
  };
}
