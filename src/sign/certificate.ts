import { X509Certificate, type KeyObject } from 'node:crypto';
import { SignError } from '../errors.ts';
import { contextTag, DER, expectDer, readDer, readDerChildren, readOid, type DerElement } from './der.ts';
import { findCommonName } from './distinguished-name.ts';

/** An X.509 certificate: what signatures name of it, and what people want to know. */
export interface Certificate {
  readonly der: Buffer;
  /** The issuer's Name as it is encoded in the certificate. */
  readonly issuer: Buffer;
  /** The serial number as it is encoded in the certificate, tag and length included. */
  readonly serial: Buffer;
  /** Identifier of the public key; undefined when the certificate has none. */
  readonly subjectKeyId: Buffer | undefined;
  readonly subjectCommonName: string | undefined;
  readonly issuerCommonName: string | undefined;
  readonly validFrom: Date;
  readonly validTo: Date;
  readonly publicKey: KeyObject;
  /** Undefined when the certificate does not limit what its key is for. */
  readonly mayDigitallySign: boolean | undefined;
  /** Undefined when the certificate does not limit what its key is for. */
  readonly mayCodeSign: boolean | undefined;
  /** Its key may make other certificates. */
  readonly isCa: boolean;
  /** Object identifier of the algorithm that the issuer signed with, in dots. */
  readonly signatureOid: string;
}

const BASIC_CONSTRAINTS = '2.5.29.19';
const SUBJECT_KEY_ID = '2.5.29.14';
const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_EXTENDED_KEY_USAGE = '2.5.29.37.0';

/**
 * Reads a certificate in PEM or DER. In PEM, the first certificate counts; a key beside it is passed over.
 *
 * @throws {SignError} `CERTIFICATE_INVALID`.
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  try {
    const parsed = new X509Certificate(bytes);
    const der = parsed.raw;
    const { serial, issuer, subject, signatureOid, extensions } = readFields(der);
    return {
      der,
      issuer,
      serial,
      signatureOid,
      ...extensions,
      subjectCommonName: findCommonName(subject),
      issuerCommonName: findCommonName(issuer),
      validFrom: new Date(parsed.validFrom),
      validTo: new Date(parsed.validTo),
      publicKey: parsed.publicKey,
    };
  } catch (error) {
    throw new SignError(
      'CERTIFICATE_INVALID',
      'Cannot read a certificate: it is neither X.509 in PEM nor in DER',
      {
        cause: error,
        hint: 'Give the certificate that belongs to the key, for instance made by "openssl req -new -x509".',
      },
    );
  }
}

interface Extensions {
  readonly subjectKeyId: Buffer | undefined;
  readonly mayDigitallySign: boolean | undefined;
  readonly mayCodeSign: boolean | undefined;
  readonly isCa: boolean;
}

/** @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1 */
function readFields(der: Buffer): {
  serial: Buffer;
  issuer: Buffer;
  subject: Buffer;
  signatureOid: string;
  extensions: Extensions;
} {
  const [body] = readDerChildren(expectDer(readDer(der), DER.sequence));
  const fields = [...readDerChildren(expectDer(body, DER.sequence))];
  if (fields[0]?.tag === contextTag(0)) fields.shift();
  const [serial, algorithm, issuer, , subject] = fields;
  const wrapped = fields.find((field) => field.tag === contextTag(3));
  return {
    serial: expectDer(serial, DER.integer).der,
    issuer: expectDer(issuer, DER.sequence).der,
    subject: expectDer(subject, DER.sequence).der,
    signatureOid: readOid(readDerChildren(expectDer(algorithm, DER.sequence))[0]),
    extensions: readExtensions(wrapped),
  };
}

function readExtensions(wrapped: DerElement | undefined): Extensions {
  const values = new Map<string, DerElement>();
  if (wrapped !== undefined) {
    for (const extension of readDerChildren(readDer(wrapped.content))) {
      const [oid, ...rest] = readDerChildren(extension);
      values.set(readOid(oid), readDer(expectDer(rest.at(-1), DER.octetString).content));
    }
  }
  const constraints = values.get(BASIC_CONSTRAINTS);
  const keyId = values.get(SUBJECT_KEY_ID);
  const usage = values.get(KEY_USAGE);
  const extended = values.get(EXTENDED_KEY_USAGE);
  const [isCa] = constraints === undefined ? [] : readDerChildren(expectDer(constraints, DER.sequence));
  return {
    isCa: isCa?.tag === DER.boolean && isCa.content[0] !== 0,
    subjectKeyId: keyId === undefined ? undefined : expectDer(keyId, DER.octetString).content,
    // A bit string begins with the number of unused bits; digitalSignature is the first bit after it.
    mayDigitallySign:
      usage === undefined ? undefined : ((expectDer(usage, DER.bitString).content[1] ?? 0) & 0x80) !== 0,
    mayCodeSign:
      extended === undefined
        ? undefined
        : readDerChildren(extended).some((oid) =>
            [CODE_SIGNING, ANY_EXTENDED_KEY_USAGE].includes(readOid(oid)),
          ),
  };
}
