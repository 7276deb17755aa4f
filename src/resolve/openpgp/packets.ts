import { ResolveError } from '../../errors.ts';

/** Types of packets that release signatures and their keys are made of (RFC 4880 section 4.3). */
export const TAG = {
  signature: 2,
  onePassSignature: 4,
  publicKey: 6,
  compressedData: 8,
  literalData: 11,
  publicSubkey: 14,
} as const;

/** One packet: its type and its body, which is copied only where it came in parts. */
export interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/** Packets that one message or keyring may have; Red Hat's keyring has six. */
const MAX_PACKETS = 4096;

/**
 * Reads the packets of a binary OpenPGP message, with lengths of both formats (RFC 4880 section 4.2).
 *
 * @throws {ResolveError} `SIGNATURE_INVALID`.
 */
export function readPackets(bytes: Uint8Array): readonly Packet[] {
  const reader = new Reader(bytes);
  const packets: Packet[] = [];
  while (!reader.isAtEnd) {
    if (packets.length === MAX_PACKETS) throw malformed(`it has more than ${MAX_PACKETS} packets`);
    packets.push(readPacket(reader));
  }
  return packets;
}

function readPacket(reader: Reader): Packet {
  const first = reader.uint(1);
  if ((first & 0x80) === 0) throw malformed('a packet does not begin with a header');
  if ((first & 0x40) !== 0) return { tag: first & 0x3f, body: readParts(reader) };
  const lengthType = first & 0x03;
  const length = lengthType === 3 ? reader.left : reader.uint(1 << lengthType);
  return { tag: (first >> 2) & 0x0f, body: reader.take(length) };
}

/** A body whose length may be given part by part. */
function readParts(reader: Reader): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const first = reader.uint(1);
    if (first >= 224 && first < 255) {
      parts.push(reader.take(2 ** (first & 0x1f)));
      continue;
    }
    parts.push(reader.take(lengthOf(first, reader)));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }
}

/** The rest of a length whose first octet is 255, or below 224. */
export function lengthOf(first: number, reader: Reader): number {
  if (first < 192) return first;
  return first === 255 ? reader.uint(4) : ((first - 192) << 8) + reader.uint(1) + 192;
}

/** Reads bytes in order and never past their end. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get isAtEnd(): boolean {
    return this.left === 0;
  }

  /** The next bytes, not copied. */
  take(length: number): Buffer {
    if (length > this.left) throw malformed('it ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A big-endian number of up to 4 bytes. */
  uint(length: number): number {
    return this.take(length).readUIntBE(0, length);
  }

  /** A multiprecision integer (RFC 4880 section 3.2), without its leading zeros. */
  integer(): Buffer {
    return this.take(Math.ceil(this.uint(2) / 8));
  }
}

export function malformed(why: string): ResolveError {
  return new ResolveError('SIGNATURE_INVALID', `Cannot read this OpenPGP data: ${why}`);
}
