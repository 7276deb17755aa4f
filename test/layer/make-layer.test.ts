import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeLayer } from '../../src/layer/make-layer.ts';
import { writeTar } from '../../src/layer/tar.ts';
import { digestOf } from '../../src/oci/digest.ts';

const FILES = [{ path: 'usr/lib/a', bytes: Buffer.from('content') }];

describe('makeLayer()', () => {
  it('gives the digests of the gzip and of the tar inside', async () => {
    const layer = await makeLayer(FILES);

    expect(layer.digest).toBe(digestOf(layer.bytes));
    expect(layer.diffId).toBe(digestOf(gunzipSync(layer.bytes)));
    expect(gunzipSync(layer.bytes).equals(writeTar(FILES))).toBe(true);
  });

  it('writes neither time nor name nor this system into the gzip', async () => {
    const { bytes } = await makeLayer(FILES);

    expect(Buffer.from(bytes.subarray(0, 10)).toString('hex')).toBe('1f8b0800000000000003');
  });

  it('makes the same layer of the same files', async () => {
    const layer = await makeLayer(FILES);

    // diff_ids are promised to stay: a change here makes every image new.
    expect(layer.diffId).toBe('sha256:1889ace37f6e0d3e4360376b235b78dca960cb29f6143d1635a6eb6d097952e6');
    expect(await makeLayer(FILES)).toEqual(layer);
  });
});
