import { createHash, createSign, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { SignError } from '../errors.ts';
import { contextTag, DER, writeDer, writeOid, writeSmallInteger } from './der.ts';
import { describeSignature } from './describe-signature.ts';

/** A key that only this process ever sees, and a certificate that it signed itself. */
export interface ThrowAwayKey {
  readonly privateKey: KeyObject;
  /** X.509 in DER. */
  readonly certificate: Buffer;
}

/** Name of the certificate of a key that is thrown away after a build. */
export const THROW_AWAY_NAME = 'kmodlayer throw-away key, never enrol';

const OID_RSA_SHA256 = '1.2.840.113549.1.1.11';
const OID_COMMON_NAME = '2.5.4.3';
const OID_SUBJECT_KEY_ID = '2.5.29.14';
const OID_KEY_USAGE = '2.5.29.15';
const OID_EXTENDED_KEY_USAGE = '2.5.29.37';
const OID_CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

const DER_UTF8_STRING = 0x0c;
const DER_UTC_TIME = 0x17;
const DER_GENERALIZED_TIME = 0x18;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Makes an RSA key of 2048 bits, which every kernel can check, and a certificate for signing code that is good for a
 * day.
 *
 * @param commonName Of the subject and the issuer.
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 */
export async function makeThrowAwayKey(commonName: string, now: Date): Promise<ThrowAwayKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const subjectPublicKey = publicKey.export({ type: 'spki', format: 'der' });
  const name = writeDer(
    DER.sequence,
    writeDer(
      DER.set,
      writeDer(DER.sequence, writeOid(OID_COMMON_NAME), writeDer(DER_UTF8_STRING, Buffer.from(commonName))),
    ),
  );
  const algorithm = writeDer(DER.sequence, writeOid(OID_RSA_SHA256), writeDer(DER.null));
  const keyId = createHash('sha1')
    .update(publicKey.export({ type: 'pkcs1', format: 'der' }))
    .digest();
  const body = writeDer(
    DER.sequence,
    writeDer(contextTag(0), writeSmallInteger(2)),
    // Positive, and without a leading zero.
    writeDer(DER.integer, Buffer.from([0x40 | (randomBytes(1).readUInt8() & 0x3f)]), randomBytes(15)),
    algorithm,
    name,
    writeDer(
      DER.sequence,
      writeTime(new Date(now.getTime() - DAY_MS)),
      writeTime(new Date(now.getTime() + DAY_MS)),
    ),
    name,
    subjectPublicKey,
    writeDer(
      contextTag(3),
      writeDer(
        DER.sequence,
        writeExtension(OID_SUBJECT_KEY_ID, writeDer(DER.octetString, keyId)),
        // One bit, digitalSignature: seven of the byte are unused.
        writeExtension(OID_KEY_USAGE, writeDer(DER.bitString, Buffer.from([7, 0x80]))),
        writeExtension(OID_EXTENDED_KEY_USAGE, writeDer(DER.sequence, writeOid(OID_CODE_SIGNING))),
      ),
    ),
  );
  const signature = createSign('sha256').update(body).sign(privateKey);
  const certificate = writeDer(
    DER.sequence,
    body,
    algorithm,
    writeDer(DER.bitString, Buffer.from([0]), signature),
  );
  return { privateKey, certificate };
}

/** True for an uncompressed module that a key of another build signed which is gone; no node should ever load it. */
export function isSignedByThrowAwayKey(module: Uint8Array): boolean {
  try {
    return describeSignature(module)?.signers.some(({ signer }) => signer === THROW_AWAY_NAME) === true;
  } catch (error) {
    if (error instanceof SignError) return false;
    throw error;
  }
}

function writeExtension(oid: string, value: Buffer): Buffer {
  return writeDer(DER.sequence, writeOid(oid), writeDer(DER.octetString, value));
}

/** RFC 5280 wants two digits of the year up to 2049, and four from then on. */
function writeTime(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]|\..*/g, '');
  if (at.getUTCFullYear() >= 2050) return writeDer(DER_GENERALIZED_TIME, Buffer.from(`${digits}Z`));
  return writeDer(DER_UTC_TIME, Buffer.from(`${digits.slice(2)}Z`));
}
