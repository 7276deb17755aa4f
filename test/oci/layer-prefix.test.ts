import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walkLayer } from '../../src/oci/layer-reader.ts';
import { type Entry, noise, tarOf } from '../support/synthetic-image.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);
const ENTRIES: readonly Entry[] = [
  { path: 'a', content: 'first' },
  { path: 'b', content: noise(40_000) },
  { path: 'c', content: 'last' },
];

async function filesOf(bytes: Buffer, isPrefix: boolean): Promise<ReadonlyMap<string, number>> {
  const files = new Map<string, number>();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 7000) yield bytes.subarray(at, at + 7000);
  }
  await walkLayer(chunks(), {
    maxBytes: 1024 ** 2,
    isPrefix,
    wants: () => true,
    onContent: ({ path }, content) => files.set(path, content.length),
  });
  return files;
}

describe('walkLayer() of the start of a layer', () => {
  it('hands out the files that are whole, wherever the start ends', async () => {
    const layer = gzipSync(await tarOf(ENTRIES));

    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 20, max: layer.length }), async (end) => {
        const files = await filesOf(layer.subarray(0, end), true);

        expect([...files]).toEqual(
          [
            ['a', 5],
            ['b', 40_000],
            ['c', 4],
          ].slice(0, files.size),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('hands out a file that ended just before the start does', async () => {
    const tar = await tarOf(ENTRIES);

    const files = await filesOf(tar.subarray(0, 512 + 512 + 512 + 30_000), true);

    expect([...files]).toEqual([['a', 5]]);
  });

  it('refuses the same bytes when they are said to be the whole layer', async () => {
    const tar = await tarOf(ENTRIES);

    const walking = filesOf(tar.subarray(0, 512 + 512 + 512 + 30_000), false);

    await expect(walking).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });
});
