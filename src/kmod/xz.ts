import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ModuleError } from '../errors.ts';
import { damaged, unpacksTooFar } from './compression-errors.ts';
import { crc64 } from './crc64.ts';
import { decodeLzma2, Lzma2Error, type Lzma2Request } from './lzma2.ts';

const HEADER_BYTES = 12;
const FOOTER_BYTES = 12;

/** Sums of the unpacked bytes, by the number that the stream gives: none, CRC32 (what the kernel reads), CRC64, SHA-256. */
const CHECKS: ReadonlyMap<number, (bytes: Uint8Array) => Buffer> = new Map([
  [0x00, () => Buffer.alloc(0)],
  [0x01, crc32Of],
  [0x04, crc64],
  [0x0a, (bytes) => createHash('sha256').update(bytes).digest()],
]);

const LZMA2 = 0x21;
/** Bits of a block's flags: how many filters, less one, and which sizes follow. */
const [FILTERS, RESERVED, HAS_PACKED_SIZE, HAS_UNPACKED_SIZE] = [0x03, 0x3c, 0x40, 0x80];

/** What the index says of a block. */
interface Block {
  /** Bytes of its header, its data and its check, without the padding between these two. */
  readonly unpaddedBytes: number;
  readonly unpackedBytes: number;
}

/**
 * Unpacks one xz stream. Its index, which stands at the end, says how much comes out before anything is unpacked, and
 * that the file holds this stream and nothing else.
 *
 * @throws {ModuleError} `COMPRESSION_INVALID`, `COMPRESSION_UNSUPPORTED`, `LIMIT_EXCEEDED`.
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export function readXz(input: Uint8Array, maxBytes: number): Buffer {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length < HEADER_BYTES + FOOTER_BYTES + 8) throw invalid('the file is cut off');
  const check = bytes.readUInt8(7);
  const checkOf = CHECKS.get(check);
  if (checkOf === undefined || bytes[6] !== 0) {
    throw unsupported(
      `check ${check} is not known`,
      'Compress modules with "xz --check=crc32", the check that the kernel reads.',
    );
  }
  const checkBytes = checkOf(bytes.subarray(0, 0)).length;
  const blocks = readIndex(bytes);
  const sizeBytes = blocks.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0);
  if (sizeBytes > maxBytes) throw unpacksTooFar(maxBytes);

  // Memory of its own, so that it can be handed to another thread.
  const output = Buffer.allocUnsafeSlow(sizeBytes);
  const requests: Lzma2Request[] = [];
  let at = HEADER_BYTES;
  let outputStart = 0;
  for (const { unpaddedBytes, unpackedBytes } of blocks) {
    const outputEnd = outputStart + unpackedBytes;
    const end = at + unpaddedBytes - checkBytes;
    requests.push({ ...readBlockHeader(bytes, at, end), input: bytes, end, output, outputStart, outputEnd });
    at += padded(unpaddedBytes);
    outputStart = outputEnd;
  }
  for (const request of requests) {
    readBlock(request);
    const sum = checkOf(output.subarray(request.outputStart, request.outputEnd));
    const sumAt = padded(request.end);
    if (!sum.equals(bytes.subarray(sumAt, sumAt + checkBytes))) throw invalid('the data is damaged');
  }
  return output;
}

/** The blocks of the stream, after all that frames them was checked. */
function readIndex(bytes: Buffer): readonly Block[] {
  const footer = bytes.length - FOOTER_BYTES;
  if (bytes.toString('latin1', bytes.length - 2) !== 'YZ') throw invalid('the end of the stream is missing');
  const start = footer - 4 * (bytes.readUInt32LE(footer + 4) + 1);
  if (start < HEADER_BYTES || bytes[start] !== 0) throw invalid('the index is missing');
  const areSame = bytes.subarray(6, 8).equals(bytes.subarray(footer + 8, footer + 10));
  const isWhole =
    crc32(bytes.subarray(6, 8)) === bytes.readUInt32LE(8) &&
    crc32(bytes.subarray(footer + 4, footer + 10)) === bytes.readUInt32LE(footer) &&
    crc32(bytes.subarray(start, footer - 4)) === bytes.readUInt32LE(footer - 4);
  if (!areSame || !isWhole) throw invalid('what frames the stream is damaged');

  const reader = { at: start + 1, end: footer - 4 };
  const count = readVariable(bytes, reader);
  const blocks: Block[] = [];
  let packedBytes = 0;
  for (let index = 0; index < count; index++) {
    const unpaddedBytes = readVariable(bytes, reader);
    blocks.push({ unpaddedBytes, unpackedBytes: readVariable(bytes, reader) });
    packedBytes += padded(unpaddedBytes);
  }
  if (HEADER_BYTES + packedBytes !== start) throw invalid('there is more than one stream');
  return blocks;
}

/** Where the data of a block starts, and how far back it reaches. */
function readBlockHeader(
  bytes: Buffer,
  at: number,
  end: number,
): Pick<Lzma2Request, 'start' | 'dictionaryBytes'> {
  const start = at + 4 * (bytes.readUInt8(at) + 1);
  if (start > end) throw invalid('the header of a block is cut off');
  if (crc32(bytes.subarray(at, start - 4)) !== bytes.readUInt32LE(start - 4)) {
    throw invalid('the header of a block is damaged');
  }
  return { start, dictionaryBytes: readFilters(bytes, { at: at + 1, end: start - 4 }) };
}

function readBlock(request: Lzma2Request): void {
  try {
    if (decodeLzma2(request) !== request.end) throw invalid('a block does not end where it should');
  } catch (error) {
    throw error instanceof Lzma2Error ? invalid(error.message) : error;
  }
}

/** The size of the dictionary, of a block that has no other filter than LZMA2. */
function readFilters(bytes: Buffer, reader: { at: number; readonly end: number }): number {
  const flags = bytes.readUInt8(reader.at++);
  if ((flags & HAS_PACKED_SIZE) !== 0) readVariable(bytes, reader);
  if ((flags & HAS_UNPACKED_SIZE) !== 0) readVariable(bytes, reader);
  const filter = readVariable(bytes, reader);
  if ((flags & (FILTERS | RESERVED)) !== 0 || filter !== LZMA2) {
    throw unsupported(
      'with these filters is not read',
      'Compress modules with "xz --check=crc32 --lzma2=dict=1MiB", which the kernel reads, too.',
    );
  }
  const sizeBytes = readVariable(bytes, reader);
  const properties = bytes[reader.at] ?? 0xff;
  if (sizeBytes !== 1 || reader.at >= reader.end || properties > 40) throw invalid('its filters are damaged');
  return properties === 40 ? 2 ** 32 - 1 : (2 | (properties & 1)) * 2 ** ((properties >> 1) + 11);
}

function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 4) * 4;
}

function crc32Of(bytes: Uint8Array): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(bytes));
  return sum;
}

/** A number in groups of seven bits, lowest first. Those beyond 2^53 are off, and beyond every limit anyway. */
function readVariable(bytes: Buffer, reader: { at: number; readonly end: number }): number {
  let value = 0;
  for (let group = 0; group < 9 && reader.at < reader.end; group++) {
    const byte = bytes.readUInt8(reader.at++);
    value += (byte & 0x7f) * 2 ** (7 * group);
    if (byte < 0x80) return value;
  }
  throw invalid('a number does not end');
}

function invalid(why: string): ModuleError {
  return damaged('xz', why);
}

function unsupported(what: string, hint: string): ModuleError {
  return new ModuleError('COMPRESSION_UNSUPPORTED', `Cannot decompress a module: xz ${what}`, { hint });
}
