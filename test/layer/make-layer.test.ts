import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeLayer } from '../../src/layer/make-layer.ts';
import { tarParts } from '../../src/layer/tar.ts';
import { digestOf } from '../../src/oci/digest.ts';

const FILES = [{ path: 'usr/lib/a', bytes: Buffer.from('content') }];

describe('makeLayer()', () => {
  it('gives the digests of the gzip and of the tar inside', async () => {
    const layer = await makeLayer(FILES);
    const bytes = Buffer.concat(layer.chunks);

    expect(layer.digest).toBe(digestOf(bytes));
    expect(layer.sizeBytes).toBe(bytes.length);
    expect(layer.diffId).toBe(digestOf(gunzipSync(bytes)));
    expect(gunzipSync(bytes).equals(Buffer.concat(tarParts(FILES)))).toBe(true);
  });

  it.each([0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 5_000_000])(
    'holds a file of %i bytes as it is, beside small ones',
    async (sizeBytes) => {
      const files = [
        ...FILES,
        { path: 'usr/lib/b', bytes: randomBytes(sizeBytes) },
        { path: 'usr/lib/c', bytes: Buffer.from('more') },
      ];

      const { chunks, digest, diffId } = await makeLayer(files);

      const bytes = Buffer.concat(chunks);
      expect(gunzipSync(bytes).equals(Buffer.concat(tarParts(files)))).toBe(true);
      expect([digest, diffId]).toEqual([digestOf(bytes), digestOf(gunzipSync(bytes))]);
    },
  );

  it('writes neither time nor name nor this system into the gzip', async () => {
    const { chunks } = await makeLayer(FILES);

    expect(Buffer.concat(chunks).toString('hex', 0, 10)).toBe('1f8b0800000000000003');
  });

  it('makes the same layer of the same files', async () => {
    const layer = await makeLayer(FILES);

    // diff_ids are promised to stay: a change here makes every image new.
    expect(layer.diffId).toBe('sha256:1889ace37f6e0d3e4360376b235b78dca960cb29f6143d1635a6eb6d097952e6');
    expect(await makeLayer(FILES)).toEqual(layer);
  });
});
