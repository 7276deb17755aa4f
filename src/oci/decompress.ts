import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { OciError } from '../errors.ts';

/** Output of a decompressor in pieces of this size: large pieces cost fewer turns of the event loop. */
const CHUNK_BYTES = 1024 ** 2;

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
 * @throws {OciError} `LAYER_INVALID` for bytes that do not decompress, `LIMIT_EXCEEDED` for bombs.
 */
export async function* decompressLayer(
  chunks: AsyncIterable<Uint8Array>,
  { maxBytes, isPrefix = false }: DecompressOptions,
): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headBytes = 0;
  try {
    while (headBytes < 4) {
      const next = await iterator.next();
      if (next.done === true) break;
      head.push(next.value);
      headBytes += next.value.length;
    }
    const input = rejoin(head, iterator);
    let bytes = 0;
    for await (const chunk of inflate(Buffer.concat(head), input, isPrefix)) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new OciError(
          'LIMIT_EXCEEDED',
          `Cannot read a layer that unpacks to more than ${maxBytes} bytes`,
          {
            hint: 'The layer is damaged or hostile: real layers do not compress this well.',
          },
        );
      }
      yield chunk;
    }
  } finally {
    await iterator.return?.();
  }
}

async function* inflate(
  head: Buffer,
  input: AsyncIterable<Uint8Array>,
  isPrefix: boolean,
): AsyncGenerator<Buffer> {
  const decoder = decoderFor(head, isPrefix);
  if (decoder === undefined) {
    for await (const chunk of input) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    return;
  }
  const source = Readable.from(input, { objectMode: false, highWaterMark: CHUNK_BYTES });
  let inputError: Error | undefined;
  source.on('error', (error) => {
    inputError = error;
    decoder.destroy(error);
  });
  source.pipe(decoder);
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (error) {
    if (inputError !== undefined) throw inputError;
    throw new OciError(
      'LAYER_INVALID',
      `Cannot decompress a layer: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

function decoderFor(head: Buffer, isPrefix: boolean): zlib.Gunzip | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) {
    return zlib.createGunzip({
      chunkSize: CHUNK_BYTES,
      ...(isPrefix ? { finishFlush: zlib.constants.Z_SYNC_FLUSH } : {}),
    });
  }
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return zstdDecoder();
  return undefined;
}

function zstdDecoder(): zlib.Gunzip {
  // Node 22.15 brought zstd; the types of the oldest Node that we support do not know it.
  const { createZstdDecompress } = zlib as {
    createZstdDecompress?: (options: { chunkSize: number }) => zlib.Gunzip;
  };
  if (createZstdDecompress === undefined) {
    throw new OciError('LAYER_INVALID', 'Cannot read a zstd layer with this version of Node', {
      hint: 'Use Node 22.15 or newer.',
    });
  }
  return createZstdDecompress({ chunkSize: CHUNK_BYTES });
}

async function* rejoin(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}
