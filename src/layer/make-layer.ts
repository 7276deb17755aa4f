import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { digestOf } from '../oci/digest.ts';
import type { NewLayer } from '../oci/image.ts';
import { type LayerFile, writeTar } from './tar.ts';

/** Byte of a gzip header that names the system which compressed: made the same on all. */
const OS_FIELD = 9;
const UNIX = 3;

const gzipAsync = promisify(gzip);

/**
 * The layer that holds these files. Same files, same `diffId`; `digest` also depends on the version of zlib in Node.
 * Always gzip: the oldest nodes that can boot a layered image read nothing else.
 *
 * @throws {LayerError} `PATH_INVALID` or `PATH_CONFLICT`.
 */
export async function makeLayer(files: readonly LayerFile[]): Promise<NewLayer> {
  const tar = writeTar(files);
  const bytes = await gzipAsync(tar, { level: 6 });
  bytes[OS_FIELD] = UNIX;
  return { bytes, digest: digestOf(bytes), diffId: digestOf(tar) };
}
