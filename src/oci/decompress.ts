import * as zlib from 'node:zlib';
import { OciError } from '../errors.ts';
import { cutAtFrames } from './zstd-frames.ts';

/** Output of a decompressor in pieces of this size: large pieces cost fewer turns of the event loop. */
const CHUNK_BYTES = 256 * 1024;

export interface DecompressOptions {
  /** Most bytes that may come out; more is `LIMIT_EXCEEDED`. */
  readonly maxBytes: number;
  /** True when the input may end early, as the first bytes of a blob do. */
  readonly isPrefix?: boolean;
}

/**
 * The tar bytes of a layer, whatever it is compressed with: gzip, zstd (where this Node has it) or nothing, told by
 * the first bytes and not by the media type, which is known to lie.
 *
 * The input is read to its end, also past the compressed data, since that is where its digest is checked; a caller that
 * stops early closes it.
 *
 * @throws {OciError} `LAYER_INVALID` for bytes that do not decompress, `LIMIT_EXCEEDED` for bombs.
 */
export async function* decompressLayer(
  chunks: AsyncIterable<Uint8Array>,
  { maxBytes, isPrefix = false }: DecompressOptions,
): AsyncGenerator<Buffer> {
  const input = chunks[Symbol.asyncIterator]();
  try {
    const head = await readHead(input);
    const decoder = findDecoder(head, isPrefix);
    const whole = rejoin(head, input);
    let bytes = 0;
    for await (const chunk of decoder === undefined ? whole : decode(whole, decoder)) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new OciError(
          'LIMIT_EXCEEDED',
          `Cannot read a layer that unpacks to more than ${maxBytes} bytes`,
          { hint: 'The layer is damaged or hostile: real layers do not compress this well.' },
        );
      }
      yield chunk;
    }
  } finally {
    await input.return?.();
  }
}

/** Enough to tell how a layer is compressed, if it has as much. */
async function readHead(input: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < 4) {
    const next = await input.next();
    if (next.done === true) break;
    parts.push(next.value);
    bytes += next.value.length;
  }
  return Buffer.concat(parts);
}

async function* rejoin(head: Buffer, input: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer> {
  yield head;
  for (;;) {
    const next = await input.next();
    if (next.done === true) return;
    yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
  }
}

interface Decoder {
  readonly decoder: zlib.Gunzip;
  readonly isZstd: boolean;
}

function findDecoder(head: Buffer, isPrefix: boolean): Decoder | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) {
    const decoder = zlib.createGunzip({
      chunkSize: CHUNK_BYTES,
      ...(isPrefix ? { finishFlush: zlib.constants.Z_SYNC_FLUSH } : {}),
    });
    return { decoder, isZstd: false };
  }
  const isZstd = head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528;
  return isZstd ? { decoder: makeZstdDecoder(isPrefix), isZstd } : undefined;
}

function makeZstdDecoder(isPrefix: boolean): zlib.Gunzip {
  // Node 22.15 brought zstd; the types of the oldest Node that we support do not know it.
  const { createZstdDecompress, constants } = zlib as unknown as {
    createZstdDecompress?: (options: object) => zlib.Gunzip;
    constants: { ZSTD_e_flush?: number };
  };
  const options = {
    chunkSize: CHUNK_BYTES,
    ...(isPrefix ? { finishFlush: constants.ZSTD_e_flush } : {}),
  };
  return createZstdDecompress?.(options) ?? refuseZstd();
}

function refuseZstd(): never {
  throw new OciError('LAYER_INVALID', 'Cannot read a zstd layer with this version of Node', {
    hint: 'Use Node 22.15 or newer.',
  });
}

/** Runs the input through a decoder; reading, decoding and whatever the caller does overlap. */
async function* decode(
  input: AsyncIterable<Uint8Array>,
  { decoder, isZstd }: Decoder,
): AsyncGenerator<Buffer> {
  const state: Feeding = { isStopped: false, inputError: undefined, wake: () => undefined };
  for (const event of ['drain', 'end', 'close'] as const) {
    decoder.on(event, () => {
      state.wake();
    });
  }
  const feeding = feed(isZstd ? cutAtFrames(input) : input, decoder, state);
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (error) {
    if (state.inputError !== undefined) throw state.inputError;
    throw new OciError('LAYER_INVALID', `Cannot decompress a layer: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    state.isStopped ||= !decoder.readableEnded;
    decoder.destroy();
    await feeding;
  }
  if (state.inputError !== undefined) throw state.inputError;
}

interface Feeding {
  /** True when nobody wants the output any more. */
  isStopped: boolean;
  inputError: Error | undefined;
  /** Called when the decoder takes more, has ended or was destroyed. */
  wake: () => void;
}

/** Writes all input to the decoder, and reads on when the decoder ends before it. Never rejects. */
async function feed(input: AsyncIterable<Uint8Array>, decoder: zlib.Gunzip, state: Feeding): Promise<void> {
  try {
    for await (const chunk of input) {
      if (state.isStopped) return;
      // What follows the compressed data is not for the decoder, and writing to one that has ended never calls back.
      if (decoder.readableEnded || decoder.destroyed) continue;
      if (!decoder.write(chunk)) await roomIn(decoder, state);
    }
    decoder.end();
  } catch (error) {
    state.inputError = error instanceof Error ? error : new Error(String(error));
    decoder.destroy(state.inputError);
  }
}

async function roomIn(decoder: zlib.Gunzip, state: Feeding): Promise<void> {
  while (decoder.writableNeedDrain && !decoder.readableEnded && !decoder.destroyed) {
    await new Promise<void>((resolve) => {
      state.wake = resolve;
    });
  }
}
