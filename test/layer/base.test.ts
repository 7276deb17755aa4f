import { describe, expect, it } from 'vitest';
import { readBase, readBaseModules } from '../../src/layer/base.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import {
  asFiles,
  asObjects,
  indexes,
  KERNEL,
  MODULES,
  openOsImage,
  type OsImage,
  type OsImageRecipe,
  type OsLayer,
} from './os-image.ts';

const kernel = parseKernelRelease(KERNEL);
const ICE = 'kernel/drivers/net/ice/ice.ko.xz';

const kernelChunk: OsLayer = {
  components: ['kernel-modules-core-5.14.0-427.el9_4.x86_64'],
  entries: asObjects({
    [`${MODULES}/${ICE}`]: 'ice of the base',
    [`${MODULES}/kernel/a.ko.xz`]: 'a of the base',
    [`${MODULES}/modules.order`]: 'kernel/a.ko\n',
  }),
};
const systemdChunk: OsLayer = {
  components: ['systemd-252'],
  entries: asObjects({ 'usr/lib/systemd': 'systemd' }),
};
const indexChunk: OsLayer = {
  components: [`initramfs (kernel ${KERNEL})`, 'rpmostree-unpackaged-content'],
  entries: asObjects({
    [`${MODULES}/initramfs.img`]: 'initramfs',
    ...indexes('the base'),
    [`${MODULES}/modules.dep`]: `${ICE}: kernel/a.ko.xz\nkernel/a.ko.xz:\nextra/b.ko:\n`,
  }),
};
const reservedChunk: OsLayer = { components: [], entries: [] };
const CHUNKS = [kernelChunk, systemdChunk, indexChunk, reservedChunk];

function read({ image, cache }: OsImage) {
  return readBase(image, kernel, { cache, report: () => undefined });
}

function textOf(files: ReadonlyMap<string, Uint8Array>, name: string): string | undefined {
  const bytes = files.get(name);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

describe('readBase()', () => {
  it.each<[string, Partial<OsImageRecipe>]>([
    ['annotations', { hasAnnotations: true }],
    ['history alone', {}],
    ['history alone, as Docker image', { family: 'docker' }],
  ])('finds the index chunk by %s, and reads no other layer', async (_, recipe) => {
    const os = await openOsImage({ chunks: CHUNKS, ...recipe });

    const base = await read(os);

    expect(os.layersRead()).toEqual([3]);
    expect(textOf(base.indexes, 'modules.symbols.bin')).toBe('symbols.bin of the base');
    expect(base.indexLayer).toBe(os.image.manifest.layers[3]?.digest);
    expect(base.layersRead).toEqual([base.indexLayer]);
  });

  it('reads no layer at all when it knows them', async () => {
    const os = await openOsImage({ chunks: CHUNKS, derived: [asFiles({ 'usr/bin/kubelet': 'kubelet' })] });
    const first = await read(os);
    os.layersRead();

    const second = await read(os);

    expect(os.layersRead()).toEqual([]);
    expect(second).toEqual(first);
  });

  it('looks into layers on top of the commit first', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [
        asFiles({ 'usr/bin/kubelet': 'kubelet' }),
        asFiles({ 'usr/share/openshift/base/meta.json': '{}' }),
      ],
    });

    const base = await read(os);

    expect(os.layersRead()).toEqual([6, 5, 3]);
    expect(base.indexLayer).toBe(os.image.manifest.layers[3]?.digest);
  });

  it('takes each index from the newest layer that has it', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [
        asFiles({ [`${MODULES}/modules.dep`]: 'kernel/older.ko:\n', [`${MODULES}/modules.alias`]: 'older' }),
        asFiles({ [`${MODULES}/modules.dep`]: 'kernel/newer.ko:\n' }),
      ],
    });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.dep')).toBe('kernel/newer.ko:\n');
    expect(textOf(base.indexes, 'modules.alias')).toBe('older');
    expect(textOf(base.indexes, 'modules.symbols')).toBe('symbols of the base');
    expect(base.indexLayer).toBe(os.image.manifest.layers[6]?.digest);
    expect(os.layersRead()).toEqual([6, 5, 3]);
  });

  it('does not stop at a layer that changed all but the soft dependencies', async () => {
    const changed = Object.entries(indexes('our layer')).filter(([path]) => !/softdep|devname/.test(path));
    const os = await openOsImage({ chunks: CHUNKS, derived: [asFiles(Object.fromEntries(changed))] });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.dep')).toBe('dep of our layer');
    expect(textOf(base.indexes, 'modules.softdep')).toBe('softdep of the base');
    expect(os.layersRead()).toEqual([5, 3]);
  });

  it('stops at a layer in which depmod ran', async () => {
    const os = await openOsImage({ chunks: CHUNKS, derived: [asFiles(indexes('a hotfix'))] });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.softdep')).toBe('softdep of a hotfix');
    expect(os.layersRead()).toEqual([5]);
  });

  it('is content with the required indexes of a chunk', async () => {
    const required = Object.entries(indexes('the base')).filter(([path]) => !/softdep|devname/.test(path));
    const chunk = { ...indexChunk, entries: asObjects(Object.fromEntries(required)) };
    const os = await openOsImage({ chunks: [kernelChunk, systemdChunk, chunk, reservedChunk] });

    await read(os);

    expect(os.layersRead()).toEqual([3]);
  });

  it.each([
    ['removes', [{ path: `${MODULES}/.wh.modules.alias`, content: '' }]],
    ['removes with its directory', [{ path: `usr/lib/modules/.wh.${KERNEL}`, content: '' }]],
    ['hides with its directory', [{ path: `${MODULES}/.wh..wh..opq`, content: '' }]],
    ['hides with everything', [{ path: '.wh..wh..opq', content: '' }]],
    ['replaces with a symlink', [{ path: `${MODULES}/modules.alias`, symlink: '../other' }]],
    ['replaces together with its directory', [{ path: 'usr/lib/modules', symlink: '../other' }]],
  ])('does not take an index from below a layer that %s it', async (_, entries) => {
    const os = await openOsImage({ chunks: CHUNKS, derived: [entries] });

    const reading = read(os);

    await expect(reading).rejects.toMatchObject({
      name: 'LayerError',
      code: 'INDEX_NOT_FOUND',
      hint: expect.stringMatching(/modules\.alias\b/) as string,
    });
  });

  it('takes what a layer has itself, though it hides what is below', async () => {
    const hiding = [{ path: `${MODULES}/.wh..wh..opq`, content: '' }, ...asFiles(indexes('a new kernel'))];
    const os = await openOsImage({ chunks: CHUNKS, derived: [hiding, asFiles({ 'usr/a': 'a' })] });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.dep')).toBe('dep of a new kernel');
    expect(os.layersRead()).toEqual([6, 5]);
  });

  it('tries the last chunk and then the large ones where nothing is said of them', async () => {
    const six = Array.from({ length: 6 }, (_, at) => `package-${at}`);
    const large = 'x'.repeat(100).replaceAll('x', () => Math.random().toString(36));
    const chunks = [
      { components: six, entries: asObjects({ 'usr/small': 'small' }) },
      { components: six, entries: [...indexChunk.entries, ...asObjects({ 'usr/large': large })] },
      { components: six, entries: asObjects({ 'usr/last': 'last' }) },
    ];
    const os = await openOsImage({ chunks });

    const base = await read(os);

    expect(os.layersRead()).toEqual([3, 2]);
    expect(base.indexLayer).toBe(os.image.manifest.layers[2]?.digest);
  });

  it('reads an image without an encapsulated commit from its newest layer on', async () => {
    const os = await openOsImage({
      hasFinalDiffId: false,
      chunks: [
        { components: ['kernel'], entries: asFiles({ [`${MODULES}/${ICE}`]: 'ice' }) },
        { components: ['rest'], entries: asFiles(indexes('the base')) },
        { components: ['more'], entries: asFiles({ 'usr/a': 'a' }) },
      ],
    });

    const base = await read(os);

    expect(os.layersRead()).toEqual([3, 2]);
    expect(textOf(base.indexes, 'modules.dep')).toBe('dep of the base');
  });

  it('sees configuration of depmod, and what masks it', async () => {
    const chunk = {
      ...indexChunk,
      entries: [...indexChunk.entries, ...asObjects({ 'usr/lib/depmod.d/dist.conf': 'search updates\n' })],
    };
    const os = await openOsImage({
      chunks: [kernelChunk, chunk],
      derived: [
        [
          { path: 'etc/depmod.d/dist.conf', symlink: '/dev/null' },
          { path: 'usr/local/lib/depmod.d/x.conf', content: 'search extra\n' },
        ],
      ],
    });

    const base = await read(os);

    expect([...base.depmodConfig].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])).toEqual([
      ['etc/depmod.d/dist.conf', ''],
      ['usr/local/lib/depmod.d/x.conf', 'search extra\n'],
      ['usr/lib/depmod.d/dist.conf', 'search updates\n'],
    ]);
  });

  it('derives modules.order from modules.dep, as it lies in a layer that is not read', async () => {
    const os = await openOsImage({ chunks: CHUNKS });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.order')).toBe('kernel/drivers/net/ice/ice.ko\nkernel/a.ko\n');
  });

  it('takes modules.order as it is where it was read', async () => {
    const order = { [`${MODULES}/modules.order`]: 'kernel/b.ko\n' };
    const os = await openOsImage({ chunks: CHUNKS, derived: [asFiles(order)] });

    const base = await read(os);

    expect(textOf(base.indexes, 'modules.order')).toBe('kernel/b.ko\n');
  });

  it('leaves the indexes of other kernels alone', async () => {
    const rt = Object.entries(indexes('rt')).map(([path, text]) => [
      path.replace(KERNEL, `${KERNEL}+rt`),
      text,
    ]);
    const chunk = {
      ...indexChunk,
      entries: [...asObjects(Object.fromEntries(rt) as Record<string, string>), ...indexChunk.entries],
    };
    const os = await openOsImage({ chunks: [kernelChunk, chunk] });

    const base = await read(os);
    const other = await readBase(os.image, parseKernelRelease(`${KERNEL}+rt`), {
      cache: os.cache,
      report: () => undefined,
    });

    expect(textOf(base.indexes, 'modules.alias')).toBe('alias of the base');
    expect(textOf(other.indexes, 'modules.alias')).toBe('alias of rt');
    expect(os.layersRead()).toEqual([2]);
  });

  it('says which indexes are not there', async () => {
    const os = await openOsImage({ chunks: [kernelChunk, systemdChunk] });

    const reading = read(os);

    await expect(reading).rejects.toMatchObject({
      code: 'INDEX_NOT_FOUND',
      message: expect.stringContaining(KERNEL) as string,
      hint: `No layer has modules.dep, modules.dep.bin, modules.alias, modules.alias.bin, modules.symbols, modules.symbols.bin in /${MODULES}/.`,
    });
  });
});

describe('readBaseModules()', () => {
  function readModules({ image, cache }: OsImage, paths: readonly string[]) {
    return readBaseModules(image, { kernel, paths }, { cache });
  }

  it('reads modules of the kernel chunk, and no other chunk', async () => {
    const os = await openOsImage({ chunks: CHUNKS });

    const modules = await readModules(os, [ICE, 'kernel/a.ko.xz']);

    expect(textOf(modules, ICE)).toBe('ice of the base');
    expect(textOf(modules, 'kernel/a.ko.xz')).toBe('a of the base');
    expect(os.layersRead()).toEqual([1]);
  });

  it('reads no layer for modules that it has read before', async () => {
    const os = await openOsImage({ chunks: CHUNKS });
    await readModules(os, [ICE]);
    os.layersRead();

    const modules = await readModules(os, [ICE]);

    expect(textOf(modules, ICE)).toBe('ice of the base');
    expect(os.layersRead()).toEqual([]);
  });

  it('takes a module from the newest layer that has it', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [asFiles({ [`${MODULES}/${ICE}`]: 'ice of a hotfix' }), asFiles({ 'usr/a': 'a' })],
    });

    const modules = await readModules(os, [ICE, 'kernel/a.ko.xz']);

    expect(textOf(modules, ICE)).toBe('ice of a hotfix');
    expect(textOf(modules, 'kernel/a.ko.xz')).toBe('a of the base');
    expect(os.layersRead()).toEqual([6, 5, 1]);
  });

  it('does not read layers again that are known to have none of them', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [
        asFiles({ [`${MODULES}/${ICE}`]: 'ice of a hotfix' }),
        asFiles({ [`${MODULES}/extra/other.ko`]: 'other' }),
      ],
    });
    await read(os);
    os.layersRead();

    const modules = await readModules(os, [ICE]);

    expect(textOf(modules, ICE)).toBe('ice of a hotfix');
    expect(os.layersRead()).toEqual([5]);
  });

  it('looks everywhere before it gives up', async () => {
    const os = await openOsImage({ chunks: [kernelChunk, systemdChunk] });

    const reading = readModules(os, ['kernel/gone.ko.xz']);

    await expect(reading).rejects.toMatchObject({
      code: 'INDEX_NOT_FOUND',
      message: expect.stringContaining('kernel/gone.ko.xz') as string,
    });
    expect(os.layersRead()).toEqual([1, 2, 0]);
  });

  it('reads an image without an encapsulated commit from its newest layer on', async () => {
    const os = await openOsImage({
      hasFinalDiffId: false,
      chunks: [
        kernelChunk,
        { components: ['x'], entries: asFiles({ [`${MODULES}/${ICE}`]: 'ice of a hotfix' }) },
      ],
    });

    const modules = await readModules(os, [ICE]);

    expect(textOf(modules, ICE)).toBe('ice of a hotfix');
    expect(os.layersRead()).toEqual([2]);
  });
});
