import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { makeHasher } from '../oci/digest.ts';
import type { NewLayer } from '../oci/image.ts';
import { type LayerFile, type LayerLink, tarParts, type TarPlace } from './tar.ts';

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
  files: readonly (LayerFile | LayerLink)[],
  place: TarPlace = 'os',
): Promise<HeldLayer> {
  const tar = makeHasher();
  const packed = makeHasher();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  await pipeline(
    function* () {
      for (const chunk of inChunks(tarParts(files, place))) {
        tar.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 6, chunkSize: CHUNK_BYTES }),
    async (compressed: AsyncIterable<Buffer>) => {
      for await (const chunk of compressed) {
        if (chunks.length === 0) chunk[OS_FIELD] = UNIX;
        packed.update(chunk);
        chunks.push(chunk);
        sizeBytes += chunk.length;
      }
    },
  );
  return { chunks, sizeBytes, digest: packed.digest(), diffId: tar.digest() };
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
