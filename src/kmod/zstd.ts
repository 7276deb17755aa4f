import type * as ZstdWasm from '@bokuweb/zstd-wasm';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { damaged, unpacksTooFar } from './compression-errors.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAX_BLOCK_BYTES = 128 * 1024;

/** One frame of a zstd file. */
interface Frame {
  readonly bytes: Buffer;
  /** Size that the header gives; undefined when it does not. */
  readonly contentBytes: number | undefined;
  /** Most bytes that the blocks can unpack to. */
  readonly mostBytes: number;
}

type DecodeFrame = (frame: Frame) => Promise<Uint8Array>;

/**
 * Unpacks zstd, with Node's own decoder where it has one and else with WebAssembly. The frames are walked first, so
 * that a file that is cut off, or that unpacks too far, is refused before any memory is taken.
 *
 * @throws {ModuleError} `COMPRESSION_INVALID`, `LIMIT_EXCEEDED`.
 * @see https://www.rfc-editor.org/rfc/rfc8878#section-3
 */
export async function readZstd(input: Uint8Array, maxBytes: number): Promise<Buffer> {
  const frames = listFrames(Buffer.from(input.buffer, input.byteOffset, input.byteLength));
  const known = frames.reduce((sum, frame) => sum + (frame.contentBytes ?? 0), 0);
  if (known > maxBytes) throw unpacksTooFar(maxBytes);

  const decode = await findDecoder();
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const frame of frames) {
    const room = maxBytes - total;
    const part = await decodeWithin(decode, frame, room);
    total += part.length;
    parts.push(part);
  }
  return Buffer.concat(parts, total);
}

/** Level of zstd: what its own tool takes when nobody says otherwise. */
const LEVEL = 3;

/** Packs bytes as one frame of zstd, always with the same encoder, so that equal bytes give equal files. */
export async function writeZstd(bytes: Uint8Array): Promise<Buffer> {
  const { compress } = await loadWasm();
  return Buffer.from(compress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), LEVEL));
}

async function decodeWithin(decode: DecodeFrame, frame: Frame, room: number): Promise<Uint8Array> {
  // One byte more than there is room for tells a frame that just fits from one that does not.
  const mostBytes = Math.min(frame.contentBytes ?? frame.mostBytes, room + 1);
  let part: Uint8Array;
  try {
    part = await decode({ ...frame, mostBytes });
  } catch (error) {
    throw mostBytes > room ? unpacksTooFar(room) : damaged('zstd', error);
  }
  if (part.length > room) throw unpacksTooFar(room);
  if (frame.contentBytes !== undefined && part.length !== frame.contentBytes) {
    throw damaged('zstd', 'a frame is shorter than its header says');
  }
  return part;
}

/**
 * Where the frames that a file begins with end, and something else begins.
 *
 * @throws {ModuleError} `COMPRESSION_INVALID`.
 */
export function zstdEnd(bytes: Buffer): number {
  let at = 0;
  while (at + 4 <= bytes.length) {
    const magic = bytes.readUInt32LE(at);
    if (magic - (magic % 16) === SKIPPABLE_MAGIC) at += 8 + readLittle(bytes, at + 4, 4);
    else if (magic === MAGIC) at += readFrame(bytes, at).bytes.length;
    else break;
  }
  return Math.min(at, bytes.length);
}

function listFrames(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const magic = readLittle(bytes, at, 4);
    // Frames that decoders skip have sixteen magics that differ in the last digit.
    if (magic - (magic % 16) === SKIPPABLE_MAGIC) {
      at += 8 + readLittle(bytes, at + 4, 4);
      if (at > bytes.length) throw damaged('zstd', 'the file is cut off');
      continue;
    }
    if (magic !== MAGIC) throw damaged('zstd', 'something that is no frame follows');
    const frame = readFrame(bytes, at);
    frames.push(frame);
    at += frame.bytes.length;
  }
  return frames;
}

function readFrame(bytes: Buffer, start: number): Frame {
  const descriptor = readLittle(bytes, start + 4, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const contentBytes =
    sizeBytes === 0 ? undefined : readLittle(bytes, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  at += sizeBytes;

  let mostBytes = 0;
  for (let isLast = false; !isLast;) {
    const header = readLittle(bytes, at, 3);
    isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === 3 || size > MAX_BLOCK_BYTES) throw damaged('zstd', 'a block breaks the format');
    // A run of one byte (type 1) stores that byte only; a packed block (type 2) may grow to a full one.
    at += 3 + (type === 1 ? 1 : size);
    mostBytes += type === 2 ? MAX_BLOCK_BYTES : size;
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at > bytes.length) throw damaged('zstd', 'the file is cut off');
  if (contentBytes !== undefined && contentBytes > mostBytes) {
    throw damaged('zstd', 'the blocks cannot hold what the header says');
  }
  return { bytes: bytes.subarray(start, at), contentBytes, mostBytes };
}

function readLittle(bytes: Buffer, at: number, size: number): number {
  if (at + size > bytes.length) throw damaged('zstd', 'the file is cut off');
  return size === 8
    ? bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
    : bytes.readUIntLE(at, size);
}

async function findDecoder(): Promise<DecodeFrame> {
  // Node 22.15 brought zstd; the types of the oldest Node that we support do not know it.
  const { zstdDecompress } = zlib as { zstdDecompress?: typeof zlib.gunzip };
  if (zstdDecompress !== undefined) {
    const decompress = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zstdDecompress);
    return (frame) => decompress(frame.bytes, { maxOutputLength: Math.max(1, frame.mostBytes) });
  }
  const { decompress } = await loadWasm();
  return async (frame) => decompress(frame.bytes, { defaultHeapSize: frame.mostBytes });
}

let wasm: Promise<typeof ZstdWasm> | undefined;

/** Started once: a second start would take the memory away from under whoever is at work. */
async function loadWasm(): Promise<typeof ZstdWasm> {
  return (wasm ??= import('@bokuweb/zstd-wasm').then(async (loaded) => {
    await loaded.init();
    return loaded;
  }));
}
