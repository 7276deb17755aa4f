import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLayerFacts, hides, type LayerFacts, readLayerFacts } from '../../src/layer/layer-facts.ts';
import type { Entry } from '../support/synthetic-image.ts';
import { asFiles, MODULES, openOsImage } from './os-image.ts';

async function open(entries: readonly Entry[]) {
  const os = await openOsImage({ chunks: [{ components: [], entries }] });
  const layer = os.image.manifest.layers[1]!;
  return { ...os, layer, read: () => readLayerFacts(os.image.repository, layer, os.cache) };
}

describe('readLayerFacts()', () => {
  it('notes indexes, configuration of depmod, modules, and what is hidden of them', async () => {
    const { read } = await open([
      ...asFiles({
        [`${MODULES}/modules.dep`]: 'dep',
        [`${MODULES}/kernel/a.ko.xz`]: 'a',
        [`${MODULES}/extra/b.ko`]: 'b',
        [`${MODULES}/vmlinuz`]: 'vmlinuz',
        'etc/depmod.d/a.conf': 'search extra',
        'etc/depmod.d/README': 'text',
        'etc/modprobe.d/a.conf': 'blacklist a',
        'usr/lib/.wh.modules': '',
        'usr/bin/.wh.gone': '',
        'etc/depmod.d/.wh..wh..opq': '',
        'var/.wh..wh..opq': '',
      }),
      { path: `${MODULES}/build`, symlink: '/usr/src/kernels/1' },
    ]);

    const facts = await read();

    expect([...facts.files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])).toEqual([
      [`${MODULES}/modules.dep`, 'dep'],
      ['etc/depmod.d/a.conf', 'search extra'],
    ]);
    expect(facts).toMatchObject({
      modules: [`${MODULES}/kernel/a.ko.xz`, `${MODULES}/extra/b.ko`],
      whiteouts: ['usr/lib/modules', `${MODULES}/build`],
      opaque: ['etc/depmod.d'],
    });
  });

  it('gives what it kept, byte for byte', async () => {
    const { read, layersRead } = await open([
      { path: `${MODULES}/modules.dep.bin`, content: Buffer.from([0, 255, 10, 0]) },
      { path: `${MODULES}/modules.alias`, content: '' },
      { path: 'usr/lib/modules/.wh.old', content: '' },
    ]);

    const first = await read();
    const second = await read();

    expect(layersRead()).toEqual([1]);
    expect(plain(second)).toEqual(plain(first));
  });

  it('learns anew what was kept badly', async () => {
    const { read, layersRead, cache, layer } = await open(asFiles({ [`${MODULES}/modules.dep`]: 'dep' }));
    const good = plain(await read());
    const key = `layer-facts-v4-${layer.digest.slice('sha256:'.length)}`;
    const kept = Buffer.from((await cache.get(key)) ?? []);
    const damaged = [
      Buffer.alloc(0),
      Buffer.from('{}\n'),
      Buffer.from('not json\n'),
      Buffer.from('{"sizes":[],"modules":[1],"whiteouts":[],"opaque":[]}\n'),
      Buffer.from('{"sizes":7,"modules":[],"whiteouts":[],"opaque":[]}\n'),
      Buffer.from('{"sizes":[1],"modules":[],"whiteouts":[],"opaque":[]}\n'),
      kept.subarray(0, -1),
      Buffer.concat([kept, Buffer.from('x')]),
    ];
    layersRead();

    for (const bytes of damaged) {
      await cache.put(key, bytes);
      expect(await findLayerFacts(layer, cache)).toBeUndefined();

      expect(plain(await read())).toEqual(good);
      expect(layersRead()).toEqual([1]);
    }
  });

  it('takes any bytes that were kept for facts or for nothing', async () => {
    const { cache, layer } = await open([]);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        async (bytes) => {
          await cache.put(
            `layer-facts-v4-${layer.digest.slice('sha256:'.length)}`,
            Buffer.concat([bytes, Buffer.from('\n')]),
          );

          expect(await findLayerFacts(layer, cache)).toBeUndefined();
        },
      ),
    );
  });

  it('refuses a layer with megabytes of module names', async () => {
    const name = (at: number): string => `${MODULES}/${'d'.repeat(200)}/${'d'.repeat(200)}/${at}.ko`;
    const { read } = await open(Array.from({ length: 38_000 }, (_, at) => ({ path: name(at), content: '' })));

    const reading = read();

    await expect(reading).rejects.toMatchObject({ name: 'LayerError', code: 'CONTENT_INVALID' });
  });
});

describe('hides()', () => {
  const facts: LayerFacts = {
    files: new Map(),
    modules: [],
    initramfs: [],
    whiteouts: ['usr/a'],
    opaque: ['usr/b'],
  };

  it.each([
    ['usr/a', true],
    ['usr/a/x', true],
    ['usr/ab', false],
    ['usr/b', false],
    ['usr/b/x', true],
    ['usr/c', false],
  ])('%s: %s', (path, isHidden) => {
    expect(hides(facts, path)).toBe(isHidden);
  });

  it('hides everything below an opaque root', () => {
    expect(hides({ ...facts, opaque: [''] }, 'usr/c')).toBe(true);
  });
});

function plain(facts: LayerFacts) {
  return {
    ...facts,
    files: [...facts.files].map(([path, bytes]) => [path, Buffer.from(bytes).toString('hex')]),
  };
}
