import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readLayerFiles } from '../../src/oci/layer-files.ts';
import { openImage } from '../../src/oci/open-image.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { makeTestIo } from './io.ts';

/** Kernel of the OS image in `fixtures/quickstart`. */
export const QUICKSTART_KERNEL = '6.1.0-56-amd64';

/** Writes files of that OS image below a directory: its own paths, links followed. */
export async function unpackQuickstart(root: string, wants: (path: string) => boolean): Promise<void> {
  const io = makeTestIo();
  const [target] = await resolve({ release: 'oci:fixtures/quickstart/release:4.18.4' }, io);
  const { location, digest } = target!.osImage;
  const repository = await io.images.open(location, 'read');
  const image = await openImage(repository, digest, 'x86_64');
  for (const layer of image.manifest.layers) {
    const { files } = await readLayerFiles(() => repository.readBlob(layer), { maxBytes: 1e9, wants });
    for (const [path, bytes] of files) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), bytes);
    }
  }
}
