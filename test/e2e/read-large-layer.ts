import { createReadStream } from 'node:fs';
import { readLayerFiles } from '../../src/oci/layer-files.ts';

/** Reads a layer in a process of its own and says what it found and how much memory it took. */
const [path = '', wanted = ''] = process.argv.slice(2);
const { files } = await readLayerFiles(() => createReadStream(path) as AsyncIterable<Buffer>, {
  maxBytes: 8 * 1024 ** 3,
  wants: (candidate) => candidate === wanted,
});
process.stdout.write(
  JSON.stringify({
    sizeBytes: files.get(wanted)?.length,
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
