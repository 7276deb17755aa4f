import { describe, expect, it } from 'vitest';
import { componentsOf, finalLayer, indexLayerOrder, moduleLayerOrder } from '../../src/layer/layer-order.ts';
import { asFiles, openOsImage } from './os-image.ts';

const chunk = (...components: string[]) => ({
  components,
  entries: asFiles({ [`usr/${components.join('-')}`]: 'content' }),
});

describe('componentsOf()', () => {
  it('prefers annotations', async () => {
    const { image } = await openOsImage({ hasAnnotations: true, chunks: [chunk('a', 'b')] });

    expect(componentsOf(image)).toEqual([['ostree export of commit 0123'], ['a', 'b']]);
  });

  it('reads history texts, up to five components', async () => {
    const { image } = await openOsImage({
      chunks: [chunk('a', 'b'), chunk('a', 'b', 'c', 'd', 'e', 'f')],
      derived: [asFiles({ 'usr/a': 'a' })],
    });

    expect(componentsOf(image).slice(1)).toEqual([['a', 'b'], undefined, ['/bin/sh -c step 0']]);
  });

  it('knows nothing of layers without a text', async () => {
    const { image } = await openOsImage({ chunks: [chunk('a')] });

    expect(componentsOf({ ...image, config: { ...image.config, history: [] } })).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('skips steps of the history that have no layer', async () => {
    const { image } = await openOsImage({ chunks: [chunk('a')] });
    const empty = { createdBy: 'ENV a=b', isEmpty: true };
    const history = [empty, ...image.config.history.flatMap((step) => [step, empty])];

    expect(componentsOf({ ...image, config: { ...image.config, history } })[1]).toEqual(['a']);
  });
});

describe('finalLayer()', () => {
  it('does not believe a config that has more diff_ids than there are layers', async () => {
    const { image } = await openOsImage({ chunks: [chunk('a'), chunk('b')] });
    const manifest = { ...image.manifest, layers: image.manifest.layers.slice(0, 2) };

    expect(finalLayer(image)).toBe(2);
    expect(finalLayer({ ...image, manifest })).toBe(-1);
  });
});

describe('indexLayerOrder()', () => {
  it('names each layer but that of the commit once', async () => {
    const { image } = await openOsImage({
      chunks: [chunk('a'), chunk('rpmostree-unpackaged-content', 'initramfs'), chunk('b')],
      derived: [asFiles({ 'usr/x': 'x' }), asFiles({ 'usr/y': 'y' })],
    });

    expect(indexLayerOrder(image)).toEqual([5, 4, 2, 3, 1]);
  });

  it('begins with the last chunk when that is the one', async () => {
    const { image } = await openOsImage({ chunks: [chunk('a'), chunk('rpmostree-unpackaged-content')] });

    expect(indexLayerOrder(image)).toEqual([2, 1]);
  });
});

describe('moduleLayerOrder()', () => {
  it('puts chunks of the kernel before the other chunks', async () => {
    const { image } = await openOsImage({
      chunks: [
        chunk('kernel-core-5.14'),
        chunk('a'),
        chunk('kernel-modules', 'b'),
        chunk('kernelshark'),
        chunk('c'),
      ],
      derived: [asFiles({ 'usr/x': 'x' })],
    });

    expect(moduleLayerOrder(image)).toEqual([6, 3, 1, 5, 4, 2, 0]);
  });
});
