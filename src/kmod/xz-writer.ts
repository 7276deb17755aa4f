import { crc32 } from 'node:zlib';

/** What the kernel's decoder asks for; it knows no other check. */
const FLAGS = Buffer.from([0x00, 0x01]);
const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const LZMA2 = 0x21;
/** A dictionary of 64 KiB, the smallest that holds a chunk. */
const DICTIONARY = 0x08;

/** Most bytes of a chunk that is stored. */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_WITH_NEW_DICTIONARY = 1;
const CHUNK_STORED = 2;

/**
 * An xz file that holds bytes without compressing them, for a module that has to keep a name that ends in `.xz`. Every
 * xz decoder reads it, the kernel's own included. It is larger than the bytes by 3 in 65,536.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export function storeXz(bytes: Uint8Array): Buffer {
  const streamHeader = Buffer.concat([MAGIC, FLAGS, checksum(FLAGS)]);
  const blockHeader = withChecksum(Buffer.from([2, 0, LZMA2, 1, DICTIONARY, 0, 0, 0]));
  const chunks = [...storedChunks(bytes), Buffer.from([0])];
  const packedBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const check = checksum(bytes);
  const unpaddedBytes = blockHeader.length + packedBytes + check.length;
  const index = withChecksum(
    padded(Buffer.concat([Buffer.from([0, 1]), variable(unpaddedBytes), variable(bytes.length)])),
  );
  const footer = Buffer.concat([little(index.length / 4 - 1), FLAGS]);
  return Buffer.concat([
    streamHeader,
    blockHeader,
    ...chunks,
    Buffer.alloc(-packedBytes & 3),
    check,
    index,
    checksum(footer),
    footer,
    Buffer.from('YZ'),
  ]);
}

function storedChunks(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    const header = Buffer.from([at === 0 ? CHUNK_WITH_NEW_DICTIONARY : CHUNK_STORED, 0, 0]);
    header.writeUInt16BE(chunk.length - 1, 1);
    parts.push(header, chunk);
  }
  return parts;
}

function withChecksum(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, checksum(bytes)]);
}

function checksum(bytes: Uint8Array): Buffer {
  return little(crc32(bytes));
}

function little(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** A number in groups of seven bits, lowest first. */
function variable(value: number): Buffer {
  const groups: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...groups, rest]);
    groups.push((rest % 128) | 0x80);
  }
}
