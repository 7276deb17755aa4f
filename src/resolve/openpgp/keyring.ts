import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { dearmor } from './armor.ts';
import { malformed, type Packet, Reader, readPackets, TAG } from './packets.ts';
import { isOldSignatureOf, isSignatureOf, readSignature, type SignaturePacket } from './signature-packet.ts';

/** A key that may sign. */
export interface PublicKey {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** Its user, as the key says. */
  readonly userId: string;
  readonly key: KeyObject;
  readonly modulusBytes: number;
  /** Seconds since 1970 from which on it signs nothing; undefined: never. */
  readonly expiresAt: number | undefined;
  /** Withdrawn by its owner. */
  readonly isRevoked: boolean;
}

/** Types of signatures over a key (RFC 4880 section 5.2.1). */
const CERTIFIES = new Set([0x10, 0x11, 0x12, 0x13]);
const CERTIFIES_KEY = 0x1f;
const REVOKES_KEY = 0x20;

const USER_ID = 13;
/** RSA, also that which is for signing only. */
const RSA = new Set([1, 3]);
const MIN_MODULUS_BYTES = 256;

/**
 * The primary RSA keys of a keyring, binary or armored. Keys of other kinds, weak ones and subkeys are passed over: no
 * release is signed with them.
 *
 * @throws {ResolveError} `SIGNATURE_INVALID` when it is no keyring, or has no key that can be used.
 */
export function readKeyring(bytes: Uint8Array): readonly PublicKey[] {
  const groups: Packet[][] = [];
  for (const packet of readPackets(dearmor(bytes))) {
    if (packet.tag === TAG.publicKey) groups.push([packet]);
    else groups.at(-1)?.push(packet);
  }
  const keys = groups.flatMap((packets) => readKey(packets) ?? []);
  if (keys.length === 0) throw malformed('it has no RSA key of at least 2048 bits');
  return keys;
}

function readKey([first, ...rest]: readonly Packet[]): PublicKey | undefined {
  if (first === undefined) return undefined;
  const reader = new Reader(first.body);
  if (reader.uint(1) !== 4) return undefined;
  const createdAt = reader.uint(4);
  if (!RSA.has(reader.uint(1))) return undefined;
  const [modulus, exponent] = [reader.integer(), reader.integer()];
  if (modulus.length < MIN_MODULUS_BYTES) return undefined;
  const subkey = rest.findIndex(({ tag }) => tag === TAG.publicSubkey);
  const own = rest.slice(0, subkey === -1 ? rest.length : subkey);
  const key = rsaKey(modulus, exponent);
  if (key === undefined) return undefined;
  const bare = { key, modulusBytes: modulus.length };
  const hashed = framed(0x99, first.body, 2);
  const says = ownSignatures(own, hashed, bare);
  // Whoever can forge SHA-1 may not make a key live longer than it says with a better hash.
  const lifetimes = [says, says.filter(({ isOld }) => !isOld)].map(lifetimeOf);
  const lifetime = Math.min(...lifetimes.map((seconds) => seconds ?? Infinity));
  return {
    ...bare,
    fingerprint: createHash('sha1').update(hashed).digest('hex').toUpperCase(),
    userId: own.find(({ tag }) => tag === USER_ID)?.body.toString('utf8') ?? '',
    expiresAt: lifetime === Infinity ? undefined : createdAt + lifetime,
    isRevoked: says.some(({ type }) => type === REVOKES_KEY),
  };
}

/** A signature that a key made over itself. */
interface OwnSignature extends SignaturePacket {
  /** By a hash that proves nothing any more: it counts where it restricts. */
  readonly isOld: boolean;
}

/** What the latest of these signatures says; undefined: for ever, or nothing. */
function lifetimeOf(says: readonly SignaturePacket[]): number | undefined {
  return says
    .filter(({ type }) => type !== REVOKES_KEY)
    .reduce<SignaturePacket | undefined>(
      (newest, one) => (newest === undefined || one.createdAt >= newest.createdAt ? one : newest),
      undefined,
    )?.keyLifetimeSeconds;
}

/** Undefined for numbers that are no RSA key, which OpenSSL finds out. */
function rsaKey(modulus: Buffer, exponent: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({
      format: 'jwk',
      key: { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') },
    });
  } catch {
    return undefined;
  }
}

/** What a key says of itself, as far as it really signed it. */
function ownSignatures(
  packets: readonly Packet[],
  keyBytes: Buffer,
  key: Pick<PublicKey, 'key' | 'modulusBytes'>,
): readonly OwnSignature[] {
  const found: OwnSignature[] = [];
  let userId: Buffer | undefined;
  for (const { tag, body } of packets) {
    if (tag === USER_ID) userId = framed(0xb4, body, 4);
    if (tag !== TAG.signature) continue;
    const signature = readSignature(body);
    if (signature === undefined) continue;
    const isAboutUser = CERTIFIES.has(signature.type);
    if (!isAboutUser && signature.type !== CERTIFIES_KEY && signature.type !== REVOKES_KEY) continue;
    const data = isAboutUser ? Buffer.concat([keyBytes, userId ?? Buffer.alloc(0)]) : keyBytes;
    const isOld = isOldSignatureOf(signature, data, key);
    if (isOld || isSignatureOf(signature, data, key)) found.push({ ...signature, isOld });
  }
  return found;
}

/** A body as it is hashed: behind a mark and its length (RFC 4880 section 5.2.4). */
function framed(mark: number, body: Buffer, lengthBytes: number): Buffer {
  const head = Buffer.alloc(1 + lengthBytes);
  head.writeUInt8(mark, 0);
  head.writeUIntBE(body.length, 1, lengthBytes);
  return Buffer.concat([head, body]);
}
