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

/** A detached CMS SignedData. */
export interface SignedData {
  readonly version: number;
  /** At least one. */
  readonly signers: readonly SignerInfo[];
}

/** One signer's part of a CMS message. */
export interface SignerInfo {
  /** Its whole encoding. */
  readonly der: Buffer;
  readonly version: number;
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

export interface SignerInfoOptions {
  readonly id: SignerId;
  readonly keyType: 'rsa' | 'ec';
  readonly hash: SignatureHash;
  readonly signature: Uint8Array;
}

/** One signer's part of a message, without attributes. */
export function writeSignerInfo({ id, keyType, hash, signature }: SignerInfoOptions): Buffer {
  const algorithm =
    keyType === 'rsa'
      ? writeDer(DER.sequence, writeOid(OID_RSA), writeDer(DER.null))
      : writeDer(DER.sequence, writeOid(OID_ECDSA[hash]));
  return writeDer(
    DER.sequence,
    writeSmallInteger(versionFor(id)),
    id.kind === 'key-id'
      ? writeDer(contextTag(0, 'primitive'), id.keyId)
      : writeDer(DER.sequence, id.issuer, id.serial),
    writeDigestAlgorithm(oidOfHash(hash)),
    algorithm,
    writeDer(DER.octetString, signature),
  );
}

/** Signers that are named by their key make it version 3, on both levels. */
function versionFor(id: SignerId): number {
  return id.kind === 'key-id' ? 3 : 1;
}

/** The hash comes without parameters, not with NULL as in PKCS#7. */
function writeDigestAlgorithm(oid: string): Buffer {
  return writeDer(DER.sequence, writeOid(oid));
}

/**
 * A detached CMS SignedData without certificates: for one signer byte for byte what the kernel's sign-file writes, for
 * several what `openssl cms` does. Sets are sorted, as DER wants it.
 *
 * @param signers Encodings of their parts. All of them name their certificates in the same way.
 * @throws {SignError} `SIGNATURE_INVALID` for encodings that are none.
 * @see https://www.rfc-editor.org/rfc/rfc5652#section-5
 */
export function writeSignedData(signers: readonly Buffer[]): Buffer {
  const infos = signers.map((der) => readSignerInfo(readDer(der)));
  const digests = [...new Set(infos.map(({ digestOid }) => digestOid))].map(writeDigestAlgorithm);
  const signedData = writeDer(
    DER.sequence,
    writeSmallInteger(Math.max(...infos.map(({ id }) => versionFor(id)))),
    writeDer(DER.set, ...sorted(digests)),
    writeDer(DER.sequence, writeOid(OID_DATA)),
    writeDer(DER.set, ...sorted(signers)),
  );
  return writeDer(DER.sequence, writeOid(OID_SIGNED_DATA), writeDer(contextTag(0), signedData));
}

function sorted(encodings: readonly Buffer[]): readonly Buffer[] {
  return [...encodings].sort((one, other) => one.compare(other));
}

/** True for bytes that begin as a CMS SignedData does; the rest may be malformed. */
export function isSignedData(bytes: Buffer): boolean {
  const lengthBytes = (bytes[1] ?? 0) > 0x80 ? (bytes[1] ?? 0) - 0x80 : 0;
  const type = writeOid(OID_SIGNED_DATA);
  return (
    bytes[0] === DER.sequence && type.equals(bytes.subarray(2 + lengthBytes, 2 + lengthBytes + type.length))
  );
}

/**
 * Reads a detached CMS SignedData.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for anything else, and for a message with content of its own or bytes after
 * it, which the kernel refuses.
 */
export function parseSignedData(bytes: Buffer): SignedData {
  const message = expectDer(readDer(bytes), DER.sequence);
  if (message.der.length !== bytes.length) throw cmsInvalid('bytes follow it');
  const [type, wrapped] = readDerChildren(message);
  if (readOid(type) !== OID_SIGNED_DATA) throw cmsInvalid('it is no SignedData');
  const [version, , content, ...rest] = readDerChildren(
    expectDer(readDer(expectDer(wrapped, contextTag(0)).content), DER.sequence),
  );
  const [contentType, embedded] = readDerChildren(expectDer(content, DER.sequence));
  if (readOid(contentType) !== OID_DATA) throw cmsInvalid('what it signs is no data');
  if (embedded !== undefined) throw cmsInvalid('it holds content of its own');
  const signers = readDerChildren(expectDer(rest.at(-1), DER.set)).map(readSignerInfo);
  if (signers.length === 0) throw cmsInvalid('nobody signed it');
  return { version: readVersion(version), signers };
}

function readVersion(element: DerElement | undefined): number {
  const { content } = expectDer(element, DER.integer);
  return content.length === 1 ? content.readUInt8(0) : -1;
}

function readSignerInfo(element: DerElement): SignerInfo {
  const [version, id, digest, ...rest] = readDerChildren(expectDer(element, DER.sequence));
  const attributes = rest[0]?.tag === contextTag(0) ? rest.shift() : undefined;
  const [algorithm, signature] = rest;
  return {
    der: element.der,
    version: readVersion(version),
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
