import { constants, createHash, publicDecrypt, verify } from 'node:crypto';
import { lengthOf, malformed, Reader } from './packets.ts';
import type { PublicKey } from './keyring.ts';

/** A signature, of version 3 or 4: releases of 2022 still have the older one. */
export interface SignaturePacket {
  /** 0x00 over bytes as they are, 0x10 to 0x13 certify a key's name, 0x20 revokes a key. */
  readonly type: number;
  readonly publicKeyAlgorithm: number;
  readonly hashAlgorithm: number;
  /** When it was made, in seconds since 1970. */
  readonly createdAt: number;
  /** How long a key may be used, in seconds from its making; undefined: for ever. */
  readonly keyLifetimeSeconds: number | undefined;
  /** How long this signature holds, in seconds from its making; undefined: for ever. */
  readonly lifetimeSeconds: number | undefined;
  /** Last eight bytes of the signer's fingerprint in upper-case hex; empty when it does not say. */
  readonly issuer: string;
  /** First two bytes of the hash. */
  readonly hashStart: Buffer;
  /** What is hashed after the data. */
  readonly trailer: Buffer;
  /** The RSA value. */
  readonly value: Buffer;
}

/** Numbers of RFC 4880 section 9. Of hashes, those that nobody can find collisions for. */
const RSA_ALGORITHMS = new Set([1, 3]);
const HASHES = new Map([
  [8, 'sha256'],
  [9, 'sha384'],
  [10, 'sha512'],
]);

const SHA1 = 2;
/** What stands before a SHA-1 hash in an RSA signature (RFC 8017 section 9.2). */
const SHA1_DIGEST_INFO = Buffer.from('3021300906052b0e03021a05000414', 'hex');

/** Subpackets of RFC 4880 section 5.2.3.1. */
const SUBPACKET = { created: 2, expires: 3, keyExpires: 9, issuer: 16, issuerFingerprint: 33 } as const;

/**
 * Subpackets that change nothing of whether a signature holds; any other one that says that it must be understood makes
 * the signature unusable.
 */
const HARMLESS = new Set<number>([
  ...Object.values(SUBPACKET),
  ...[4, 5, 7, 11, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 34, 35],
]);

/**
 * @returns undefined for versions and algorithms that are not known here: such a signature proves nothing.
 * @throws {ResolveError} `SIGNATURE_INVALID` for a body that is malformed.
 */
export function readSignature(body: Uint8Array): SignaturePacket | undefined {
  const reader = new Reader(body);
  const version = reader.uint(1);
  if (version === 3) return readVersion3(reader);
  return version === 4 ? readVersion4(reader, body) : undefined;
}

function readVersion3(reader: Reader): SignaturePacket | undefined {
  if (reader.uint(1) !== 5) throw malformed('a signature hashes another number of bytes than five');
  const trailer = reader.take(5);
  const issuer = reader.take(8).toString('hex').toUpperCase();
  return withValue(reader, {
    type: trailer.readUInt8(0),
    createdAt: trailer.readUInt32BE(1),
    keyLifetimeSeconds: undefined,
    lifetimeSeconds: undefined,
    issuer,
    trailer,
    publicKeyAlgorithm: reader.uint(1),
    hashAlgorithm: reader.uint(1),
  });
}

function readVersion4(reader: Reader, body: Uint8Array): SignaturePacket | undefined {
  const type = reader.uint(1);
  const publicKeyAlgorithm = reader.uint(1);
  const hashAlgorithm = reader.uint(1);
  const hashedLength = reader.uint(2);
  const hashed = readSubpackets(reader.take(hashedLength));
  const unhashed = readSubpackets(reader.take(reader.uint(2)));
  if (hashed === undefined) return undefined;
  const head = Buffer.from(body.subarray(0, 6 + hashedLength));
  const end = Buffer.alloc(6);
  end.writeUInt16BE(0x04ff, 0);
  end.writeUInt32BE(head.length, 2);
  const createdAt = seconds(hashed.get(SUBPACKET.created));
  if (createdAt === undefined) throw malformed('a signature does not say when it was made');
  // The issuer is a mere hint: which key made the signature is what is then found out.
  const issuer = hashed.get(SUBPACKET.issuer) ?? unhashed?.get(SUBPACKET.issuer);
  const fingerprint = hashed.get(SUBPACKET.issuerFingerprint) ?? unhashed?.get(SUBPACKET.issuerFingerprint);
  return withValue(reader, {
    type,
    publicKeyAlgorithm,
    hashAlgorithm,
    createdAt,
    keyLifetimeSeconds: seconds(hashed.get(SUBPACKET.keyExpires)),
    lifetimeSeconds: seconds(hashed.get(SUBPACKET.expires)),
    issuer: (issuer ?? fingerprint?.subarray(-8) ?? Buffer.alloc(0)).toString('hex').toUpperCase(),
    trailer: Buffer.concat([head, end]),
  });
}

function withValue(
  reader: Reader,
  rest: Omit<SignaturePacket, 'hashStart' | 'value'>,
): SignaturePacket | undefined {
  if (!RSA_ALGORITHMS.has(rest.publicKeyAlgorithm)) return undefined;
  const hashStart = reader.take(2);
  return { ...rest, hashStart, value: reader.integer() };
}

/** Subpackets by type, the last one of each; undefined when one must be understood and is not. */
function readSubpackets(bytes: Buffer): ReadonlyMap<number, Buffer> | undefined {
  const reader = new Reader(bytes);
  const found = new Map<number, Buffer>();
  let isUnderstood = true;
  while (!reader.isAtEnd) {
    const body = reader.take(lengthOf(reader.uint(1), reader));
    if (body.length === 0) throw malformed('a subpacket is empty');
    const type = body.readUInt8(0);
    if ((type & 0x80) !== 0 && !HARMLESS.has(type & 0x7f)) isUnderstood = false;
    found.set(type & 0x7f, body.subarray(1));
  }
  return isUnderstood ? found : undefined;
}

function seconds(bytes: Buffer | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  if (bytes.length !== 4) throw malformed('a time has another length than four bytes');
  const value = bytes.readUInt32BE(0);
  return value === 0 ? undefined : value;
}

/** Says whether a key made a signature over some data. Hashes older than SHA-2 prove nothing. */
export function isSignatureOf(
  signature: SignaturePacket,
  data: Uint8Array,
  { key, modulusBytes }: Pick<PublicKey, 'key' | 'modulusBytes'>,
): boolean {
  const hash = HASHES.get(signature.hashAlgorithm);
  if (hash === undefined) return false;
  const signed = Buffer.concat([data, signature.trailer]);
  const value = valueOf(signature, createHash(hash).update(signed).digest(), modulusBytes);
  return value !== undefined && verify(hash, signed, key, value);
}

/**
 * The same for SHA-1 alone, as many keys that are old have signed what they say of themselves. It proves too little to be
 * trusted, and enough to trust a key less.
 */
export function isOldSignatureOf(
  signature: SignaturePacket,
  data: Uint8Array,
  { key, modulusBytes }: Pick<PublicKey, 'key' | 'modulusBytes'>,
): boolean {
  if (signature.hashAlgorithm !== SHA1) return false;
  const digest = createHash('sha1').update(data).update(signature.trailer).digest();
  const value = valueOf(signature, digest, modulusBytes);
  if (value === undefined) return false;
  try {
    // Systems whose policy refuses SHA-1 refuse to verify with it; comparing is left to us.
    const said = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, value);
    return said.equals(Buffer.concat([SHA1_DIGEST_INFO, digest]));
  } catch {
    return false;
  }
}

/** The RSA value in its full length; undefined when the hash is another one. */
function valueOf(
  { value, hashStart }: SignaturePacket,
  digest: Buffer,
  modulusBytes: number,
): Buffer | undefined {
  if (value.length > modulusBytes || !digest.subarray(0, 2).equals(hashStart)) return undefined;
  return Buffer.concat([Buffer.alloc(modulusBytes - value.length), value]);
}
