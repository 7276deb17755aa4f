import { inflateRawSync, inflateSync } from 'node:zlib';
import { dearmor } from './armor.ts';
import type { PublicKey } from './keyring.ts';
import { malformed, type Packet, Reader, readPackets, TAG } from './packets.ts';
import { isSignatureOf, readSignature, type SignaturePacket } from './signature-packet.ts';

/** A message whose signature holds. */
export interface VerifiedMessage {
  /** What was signed. */
  readonly content: Buffer;
  readonly signedBy: PublicKey;
  readonly createdAt: Date;
}

/** Largest content, unpacked: 1 MiB; those of releases have 330 bytes. */
const MAX_CONTENT_BYTES = 1024 ** 2;

/** Signatures that one message may have. */
const MAX_SIGNATURES = 16;

/** Over bytes as they are; the form of releases. */
const BINARY = 0x00;

/**
 * Reads a signed message (RFC 4880 section 11.3) and verifies it with the keys of a keyring.
 *
 * @param now To tell whether the signature has expired.
 * @throws {ResolveError} `SIGNATURE_INVALID` when it is malformed, or none of the keys made it.
 */
export function verifySignedMessage(
  bytes: Uint8Array,
  keys: readonly PublicKey[],
  now: Date,
): VerifiedMessage {
  const packets = unpack(readPackets(dearmor(bytes)));
  const literal = packets.filter(({ tag }) => tag === TAG.literalData);
  const [only] = literal;
  if (only === undefined || literal.length !== 1) throw malformed('it does not hold exactly one content');
  const content = contentOf(only.body);
  const signatures = packets
    .filter(({ tag }) => tag === TAG.signature)
    .map(({ body }) => readSignature(body));
  if (signatures.length === 0) throw malformed('it holds no signature');
  if (signatures.length > MAX_SIGNATURES) throw malformed(`it holds more than ${MAX_SIGNATURES} signatures`);
  for (const signature of signatures) {
    if (signature?.type !== BINARY) continue;
    const signedBy = keys.find((key) => isSignatureOf(signature, content, key));
    if (signedBy === undefined) continue;
    requireInForce(signature, signedBy, now);
    return { content, signedBy, createdAt: new Date(signature.createdAt * 1000) };
  }
  const issuers = [...new Set(signatures.map((signature) => signature?.issuer ?? ''))].filter(Boolean);
  throw malformed(
    issuers.length === 0
      ? 'none of the keys made its signature'
      : `none of the keys made its signature, which says it is by ${issuers.join(', ')}`,
  );
}

function requireInForce(signature: SignaturePacket, key: PublicKey, now: Date): void {
  if (key.isRevoked) throw malformed(`its key ${key.fingerprint} was revoked`);
  // A key that has expired since then was good when it signed: old releases stay what they were.
  if (key.expiresAt !== undefined && signature.createdAt > key.expiresAt) {
    throw malformed(`its key ${key.fingerprint} had expired when it was signed`);
  }
  const { createdAt, lifetimeSeconds } = signature;
  if (lifetimeSeconds !== undefined && (createdAt + lifetimeSeconds) * 1000 < now.getTime()) {
    throw malformed('its signature has expired');
  }
}

function unpack(packets: readonly Packet[]): readonly Packet[] {
  const [first] = packets;
  if (first?.tag !== TAG.compressedData) return packets;
  if (packets.length !== 1) throw malformed('something stands beside its compressed data');
  const algorithm = first.body[0];
  const data = first.body.subarray(1);
  const options = { maxOutputLength: MAX_CONTENT_BYTES };
  try {
    if (algorithm === 0) return readPackets(data);
    if (algorithm === 1) return readPackets(inflateRawSync(data, options));
    if (algorithm === 2) return readPackets(inflateSync(data, options));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^(?:Z_|ERR_BUFFER)/.test(String(error.code))))
      throw error;
    throw malformed('its compressed data is damaged or too large');
  }
  throw malformed(`it is compressed by algorithm ${algorithm ?? 'none'}`);
}

/** The content behind its form, name and time (RFC 4880 section 5.9), which no signature covers. */
function contentOf(body: Buffer): Buffer {
  const reader = new Reader(body);
  reader.take(1);
  reader.take(reader.uint(1));
  reader.take(4);
  if (reader.left > MAX_CONTENT_BYTES) throw malformed(`it holds more than ${MAX_CONTENT_BYTES} bytes`);
  return reader.take(reader.left);
}
