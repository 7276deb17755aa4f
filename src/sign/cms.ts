import { SignError } from '../errors.ts';
import {
  contextTag,
  DER,
  expectDer,
  readDer,
  readDerChildren,
  readOid,
  writeDer,
  writeOid,
  writeSmallInteger,
  type DerElement,
} from './der.ts';
import { oidOfHash, type SignatureHash } from './hash.ts';

/** Whom a signature names: the issuer and serial number of a certificate, or the identifier of its key. */
export type SignerId =
  | { readonly kind: 'issuer-and-serial'; readonly issuer: Buffer; readonly serial: Buffer }
  | { readonly kind: 'key-id'; readonly keyId: Buffer };

/** One signer's part of a CMS message. */
export interface SignerInfo {
  readonly id: SignerId;
  /** Object identifier of the hash, in dots. */
  readonly digestOid: string;
  /** Object identifier of the signature algorithm, in dots. */
  readonly signatureOid: string;
  readonly signature: Buffer;
  readonly attributes: SignedAttributes | undefined;
}

/** What is signed instead of the content, when a signer adds attributes such as a time. */
export interface SignedAttributes {
  /** The bytes that the signature covers. */
  readonly signedBytes: Buffer;
  /** Hash of the content; undefined when the attribute that every signer must give is missing. */
  readonly messageDigest: Buffer | undefined;
}

const OID_SIGNED_DATA = '1.2.840.113549.1.7.2';
const OID_DATA = '1.2.840.113549.1.7.1';
const OID_MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const OID_RSA = '1.2.840.113549.1.1.1';
const OID_ECDSA: Readonly<Record<SignatureHash, string>> = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
};

export interface SignedDataOptions {
  readonly id: SignerId;
  readonly keyType: 'rsa' | 'ec';
  readonly hash: SignatureHash;
  readonly signature: Uint8Array;
}

/**
 * A detached CMS SignedData with one signer, no certificates and no attributes: byte for byte what the kernel's
 * sign-file writes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5652#section-5
 */
export function writeSignedData({ id, keyType, hash, signature }: SignedDataOptions): Buffer {
  // Signers that are named by their key make it version 3, on both levels.
  const version = writeSmallInteger(id.kind === 'key-id' ? 3 : 1);
  // The hash comes without parameters, not with NULL as in PKCS#7.
  const digest = writeDer(DER.sequence, writeOid(oidOfHash(hash)));
  const algorithm =
    keyType === 'rsa'
      ? writeDer(DER.sequence, writeOid(OID_RSA), writeDer(DER.null))
      : writeDer(DER.sequence, writeOid(OID_ECDSA[hash]));
  const signer = writeDer(
    DER.sequence,
    version,
    id.kind === 'key-id'
      ? writeDer(contextTag(0, 'primitive'), id.keyId)
      : writeDer(DER.sequence, id.issuer, id.serial),
    digest,
    algorithm,
    writeDer(DER.octetString, signature),
  );
  const signedData = writeDer(
    DER.sequence,
    version,
    writeDer(DER.set, digest),
    writeDer(DER.sequence, writeOid(OID_DATA)),
    writeDer(DER.set, signer),
  );
  return writeDer(DER.sequence, writeOid(OID_SIGNED_DATA), writeDer(contextTag(0), signedData));
}

/**
 * The signers of a detached CMS SignedData.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for anything else, and for a message with content of its own or bytes after
 * it, which the kernel refuses.
 */
export function parseSignedData(bytes: Buffer): readonly SignerInfo[] {
  const message = expectDer(readDer(bytes), DER.sequence);
  if (message.der.length !== bytes.length) throw cmsInvalid('bytes follow it');
  const [type, wrapped] = readDerChildren(message);
  if (readOid(type) !== OID_SIGNED_DATA) throw cmsInvalid('it is no SignedData');
  const [version, , content, ...rest] = readDerChildren(
    expectDer(readDer(expectDer(wrapped, contextTag(0)).content), DER.sequence),
  );
  expectDer(version, DER.integer);
  const [contentType, embedded] = readDerChildren(expectDer(content, DER.sequence));
  if (readOid(contentType) !== OID_DATA) throw cmsInvalid('what it signs is no data');
  if (embedded !== undefined) throw cmsInvalid('it holds content of its own');
  const signers = readDerChildren(expectDer(rest.at(-1), DER.set)).map(readSignerInfo);
  if (signers.length === 0) throw cmsInvalid('nobody signed it');
  return signers;
}

function readSignerInfo(element: DerElement): SignerInfo {
  const [version, id, digest, ...rest] = readDerChildren(expectDer(element, DER.sequence));
  expectDer(version, DER.integer);
  const attributes = rest[0]?.tag === contextTag(0) ? rest.shift() : undefined;
  const [algorithm, signature] = rest;
  return {
    id: readSignerId(id),
    digestOid: readAlgorithm(digest),
    signatureOid: readAlgorithm(algorithm),
    signature: expectDer(signature, DER.octetString).content,
    attributes: attributes === undefined ? undefined : readAttributes(attributes),
  };
}

function readSignerId(element: DerElement | undefined): SignerId {
  if (element?.tag === contextTag(0, 'primitive')) return { kind: 'key-id', keyId: element.content };
  const [issuer, serial] = readDerChildren(expectDer(element, DER.sequence));
  return {
    kind: 'issuer-and-serial',
    issuer: expectDer(issuer, DER.sequence).der,
    serial: expectDer(serial, DER.integer).der,
  };
}

function readAlgorithm(element: DerElement | undefined): string {
  return readOid(readDerChildren(expectDer(element, DER.sequence))[0]);
}

function readAttributes(element: DerElement): SignedAttributes {
  const digest = readDerChildren(element).find(
    (attribute) => readOid(readDerChildren(attribute)[0]) === OID_MESSAGE_DIGEST,
  );
  const values = digest === undefined ? undefined : readDerChildren(digest)[1];
  return {
    // They are signed as the SET that they are, not under the tag by which they stand in the message.
    signedBytes: Buffer.concat([Buffer.from([DER.set]), element.der.subarray(1)]),
    messageDigest:
      values === undefined
        ? undefined
        : expectDer(readDer(expectDer(values, DER.set).content), DER.octetString).content,
  };
}

function cmsInvalid(why: string): SignError {
  return new SignError('SIGNATURE_INVALID', `Cannot read a CMS message: ${why}`, {
    hint: 'Sign the module again: it was signed by another tool, or is damaged.',
  });
}
