import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { OciError } from '../errors.ts';
import { decompressLayer } from './decompress.ts';
import { plainPath } from './layer-reader.ts';

export interface LayerFileOptions {
  /** Path in the tar, without a leading `/`. */
  readonly path: string;
  /** Most bytes that the layer may unpack to. */
  readonly maxBytes: number;
}

/**
 * The bytes of one file of a layer, as they stream by: for files that are too large to hold. The rest of the layer is
 * read, too, since its digest is checked at the end: what was handed out counts only when the iteration has ended.
 *
 * @throws {OciError} `LAYER_INVALID` when the file is not there; as `decompressLayer` does.
 */
export async function* streamLayerFile(
  chunks: AsyncIterable<Uint8Array>,
  { path, maxBytes }: LayerFileOptions,
): AsyncGenerator<Buffer> {
  // Its types do not know the second option: tars from before POSIX have no magic.
  const parserOptions = { highWaterMark: 256 * 1024, allowUnknownFormat: true };
  const tar = extract(parserOptions);
  const input = Readable.from(decompressLayer(chunks, { maxBytes }), { objectMode: true });
  input.on('error', (error) => {
    tar.destroy(error);
  });
  input.pipe(tar);
  let isFound = false;
  try {
    for await (const entry of tar) {
      const { name, type } = entry.header;
      if (type === 'file' && plainPath(name) === path && !isFound) {
        isFound = true;
        for await (const piece of entry) yield piece as Buffer;
      } else entry.resume();
    }
  } catch (error) {
    if (error instanceof Error && error.constructor === Error)
      throw new OciError('LAYER_INVALID', `Cannot read a layer: ${error.message}`, { cause: error });
    throw error;
  } finally {
    input.destroy();
    tar.destroy();
  }
  if (!isFound) throw new OciError('LAYER_INVALID', `Cannot find ${JSON.stringify(path)} in its layer`);
}
