import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBasePaths } from '../../src/layer/base-paths.ts';
import { readLayerFacts } from '../../src/layer/layer-facts.ts';
import { findLayerPaths, keepLayerPaths, PathCollector } from '../../src/layer/layer-paths.ts';
import type { OpenedImage } from '../../src/oci/open-image.ts';
import { makeTestIo } from '../support/io.ts';
import { file, layered, openQuickstart } from '../support/layered-image.ts';
import { asFiles, asObjects, openOsImage } from './os-image.ts';
import { MemoryCache } from '../support/synthetic-release.ts';

const LAYER = {
  mediaType: 'layer',
  digest: `sha256:${'1'.repeat(64)}`,
  sizeBytes: 1,
} as OpenedImage['manifest']['layers'][0];

describe('readBasePaths()', () => {
  const chunk = [...asObjects({ 'usr/bin/a': 'a', 'usr/lib/deep/b': 'bb' })];
  const top = [...asFiles({ 'usr/bin/c': 'c', 'usr/lib/.wh.deep': '' }), { path: 'usr/bin/l', symlink: 'c' }];

  it('does not read layers that it does not know', async () => {
    const { image, cache, layersRead } = await openOsImage({ chunks: [{ components: [], entries: chunk }] });

    const paths = await readBasePaths(image, makeTestIo({ cache }), { isWhole: false });

    expect(layersRead()).toEqual([]);
    expect(paths.find('usr/bin/a')).toBe('unknown');
    expect(paths.unread).toEqual(image.manifest.layers);
  });

  it('reads all of them when it is asked to, once', async () => {
    const { image, cache, layersRead } = await openOsImage({
      chunks: [{ components: [], entries: chunk }],
      derived: [top],
    });

    const io = makeTestIo({ cache });
    const paths = await readBasePaths(image, io, { isWhole: true });

    expect(layersRead()).toEqual([0, 1, 2]);
    expect(paths.unread).toEqual([]);
    expect(paths.find('usr/bin/a')).toEqual({ kind: 'file', sizeBytes: 1 });
    expect(paths.find('usr/bin/l')).toEqual({ kind: 'symlink', sizeBytes: undefined });
    expect(paths.find('usr/bin')).toEqual({ kind: 'directory', sizeBytes: undefined });
    expect(paths.find('usr/lib/deep/b')).toBe('absent');
    expect(io.events).toMatchObject([{ type: 'transfer-planned', blobs: 3 }]);
    await readBasePaths(image, io, { isWhole: true });
    expect(layersRead()).toEqual([]);
  });

  it('knows the paths of layers that were read for something else', async () => {
    const { image, cache, layersRead } = await openOsImage({
      chunks: [{ components: [], entries: chunk }],
      derived: [top],
    });
    await readLayerFacts(image.repository, image.manifest.layers[2]!, cache);
    layersRead();

    const paths = await readBasePaths(image, makeTestIo({ cache }), { isWhole: false });

    expect(layersRead()).toEqual([]);
    expect(paths.find('usr/bin/c')).toEqual({ kind: 'file', sizeBytes: 1 });
    expect(paths.find('usr/lib/deep/b')).toBe('absent');
    expect(paths.find('usr/bin/a')).toBe('unknown');
  });

  it('reads the first layer of a commit, and keeps nothing of one that it does not understand', async () => {
    const image = await layered(await openQuickstart(), [[file('usr/bin/c')]]);

    const paths = await readBasePaths(image, makeTestIo(), { isWhole: false });

    expect(paths.find('usr/bin/c')).toBe('unknown');
  });
});

describe('findLayerPaths()', () => {
  it('gives what was kept', async () => {
    const cache = new MemoryCache();
    const collector = new PathCollector();
    const base = { sizeBytes: 0, mode: 0, uid: 0, gid: 0, mtimeSeconds: 0, xattrs: [], linkPath: undefined };
    collector.add({ ...base, path: 'usr/a b', type: 'file', sizeBytes: 7 });
    collector.add({ ...base, path: 'usr/link', type: 'symlink', linkPath: 'a' });
    collector.add({ ...base, path: 'usr/pipe', type: 'fifo' });
    collector.add({ ...base, path: 'usr/.wh.gone', type: 'file' });
    collector.add({ ...base, path: 'usr/x/.wh..wh..opq', type: 'file' });
    const paths = collector.toPaths();

    await keepLayerPaths(LAYER, paths, cache);

    expect(await findLayerPaths(LAYER, cache)).toEqual(paths);
    expect(await findLayerPaths(LAYER, cache, 'commit')).toBeUndefined();
    expect([...paths.paths.keys()]).toEqual(['usr/a b', 'usr/link', 'usr/pipe', 'usr']);
  });

  it('keeps nothing of names with line breaks', async () => {
    const cache = new MemoryCache();
    const paths = new Map([['usr/a\nb', { kind: 'file', sizeBytes: 1 } as const]]);

    await keepLayerPaths(LAYER, { paths, whiteouts: [], opaque: [] }, cache);

    expect(await findLayerPaths(LAYER, cache)).toBeUndefined();
  });

  it('takes any bytes that were kept for paths or for nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        const cache = new MemoryCache();
        await cache.put(`layer-paths-v1-${'1'.repeat(64)}`, bytes);

        expect(await findLayerPaths(LAYER, cache)).toBeUndefined();
      }),
    );
  });
});
