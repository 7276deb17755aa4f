import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { LayerError } from '../errors.ts';
import { makeHasher } from '../oci/digest.ts';
import type { NewLayer } from '../oci/image.ts';
import { type StreamedFile, type TarItem, tarParts, type TarPlace } from './tar.ts';

/** Byte of a gzip header that names the system which compressed: made the same on all. */
const OS_FIELD = 9;
const UNIX = 3;

/** Bytes that are hashed and compressed at a time, or a little more: 1 MiB. */
const CHUNK_BYTES = 1024 ** 2;

/** A layer whose compressed bytes are in memory. */
export interface HeldLayer extends NewLayer {
  readonly chunks: readonly Uint8Array[];
}

/**
 * The layer that holds these files. Same files, same `diffId`; `digest` also depends on the version of zlib in Node.
 * Always gzip: the oldest nodes that can boot a layered image read nothing else. Takes no memory but for
 * the compressed bytes.
 *
 * @throws {LayerError} `PATH_INVALID` or `PATH_CONFLICT`.
 */
export async function makeLayer(
  files: readonly Exclude<TarItem, StreamedFile>[],
  place: TarPlace = 'os',
): Promise<HeldLayer> {
  const tar = makeHasher();
  const packed = makeHasher();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  await pack(
    inChunks(tarParts(files, place)),
    (chunk) => {
      tar.update(chunk);
    },
    (chunk) => {
      packed.update(chunk);
      chunks.push(chunk);
      sizeBytes += chunk.length;
    },
  );
  return { chunks, sizeBytes, digest: packed.digest(), diffId: tar.digest() };
}

/**
 * The same for files too large to hold: nothing of the layer is kept. It is made once to know its digest, and again each
 * time that it is sent.
 *
 * @throws {LayerError} `PATH_INVALID` or `PATH_CONFLICT`; what opening a file throws.
 */
export async function makeStreamedLayer(items: readonly TarItem[]): Promise<NewLayer> {
  const parts = tarParts(items);
  const tar = makeHasher();
  const packed = makeHasher();
  let sizeBytes = 0;
  await pack(
    streamed(parts),
    (chunk) => {
      tar.update(chunk);
    },
    (chunk) => {
      packed.update(chunk);
      sizeBytes += chunk.length;
    },
  );
  return {
    chunks: { [Symbol.asyncIterator]: () => compressed(parts) },
    sizeBytes,
    digest: packed.digest(),
    diffId: tar.digest(),
  };
}

async function* compressed(parts: readonly (Uint8Array | StreamedFile)[]): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 6, chunkSize: CHUNK_BYTES });
  const input = Readable.from(streamed(parts));
  input.on('error', (error) => gzip.destroy(error));
  input.pipe(gzip);
  let isFirst = true;
  try {
    for await (const chunk of gzip) {
      const bytes = chunk as Buffer;
      if (isFirst) bytes[OS_FIELD] = UNIX;
      isFirst = false;
      yield bytes;
    }
  } finally {
    input.destroy();
    gzip.destroy();
  }
}

async function pack(
  tar: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  onTar: (chunk: Uint8Array) => void,
  onPacked: (chunk: Uint8Array) => void,
): Promise<void> {
  let isFirst = true;
  await pipeline(
    async function* () {
      for await (const chunk of tar) {
        onTar(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 6, chunkSize: CHUNK_BYTES }),
    async (packed: AsyncIterable<Buffer>) => {
      for await (const chunk of packed) {
        if (isFirst) chunk[OS_FIELD] = UNIX;
        isFirst = false;
        onPacked(chunk);
      }
    },
  );
}

/** Bytes of large files as they come, and all others between them. */
async function* streamed(parts: readonly (Uint8Array | StreamedFile)[]): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  for (const part of parts) {
    if (!('open' in part)) {
      held.push(part);
      continue;
    }
    yield* inChunks(held);
    held = [];
    let sizeBytes = 0;
    for await (const piece of part.open()) {
      sizeBytes += piece.length;
      yield piece;
    }
    if (sizeBytes !== part.sizeBytes) {
      throw new LayerError(
        'CONTENT_INVALID',
        `Cannot write ${part.path}: it has ${sizeBytes} bytes and not ${part.sizeBytes}`,
      );
    }
  }
  yield* inChunks(held);
}

/** A tar has many parts of some bytes, and some of many. */
function* inChunks(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += CHUNK_BYTES) {
      const piece = part.subarray(at, at + CHUNK_BYTES);
      waiting.push(piece);
      waitingBytes += piece.length;
      if (waitingBytes < CHUNK_BYTES) continue;
      yield Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
    }
  }
  yield Buffer.concat(waiting);
}
