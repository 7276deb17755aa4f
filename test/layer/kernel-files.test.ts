import { describe, expect, it } from 'vitest';
import { readKernelFiles } from '../../src/layer/kernel-files.ts';
import { readLayerFacts } from '../../src/layer/layer-facts.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { asFiles, asObjects, KERNEL, MODULES, openOsImage, type OsImage, type OsLayer } from './os-image.ts';

const kernel = parseKernelRelease(KERNEL);
const core: OsLayer = {
  components: [`kernel-core-${KERNEL}`],
  entries: asObjects({
    [`${MODULES}/vmlinuz`]: 'vmlinuz',
    [`${MODULES}/symvers.gz`]: 'symvers',
    [`${MODULES}/config`]: 'config',
    [`${MODULES}/.vmlinuz.hmac`]: 'hmac',
  }),
};
const modulesCore: OsLayer = {
  components: [`kernel-modules-core-${KERNEL}`],
  entries: asObjects({
    [`${MODULES}/modules.order`]: 'order',
    [`${MODULES}/kernel/a.ko.xz`]: 'a',
    [`${MODULES}/kernel/b.ko.xz`]: 'b',
  }),
};
const other: OsLayer = { components: ['systemd-252'], entries: asObjects({ 'usr/lib/systemd': 'systemd' }) };
const generated: OsLayer = {
  components: [`initramfs (kernel ${KERNEL})`, 'rpmostree-unpackaged-content'],
  entries: asObjects({ [`${MODULES}/modules.dep`]: 'dep' }),
};
const CHUNKS = [other, modulesCore, core, generated];

async function read({ image, cache }: OsImage) {
  const files = await readKernelFiles(image, kernel, { cache });
  const textOf = (file: (typeof files)['module']): string | undefined =>
    file === undefined ? undefined : `${file.name} ${Buffer.from(file.bytes).toString()}`;
  return { symvers: textOf(files.symvers), config: textOf(files.config), module: textOf(files.module) };
}

const EXPECTED = { symvers: 'symvers.gz symvers', config: 'config config', module: 'kernel/a.ko.xz a' };

describe('readKernelFiles()', () => {
  it.each([true, false])('reads the chunks of the kernel alone (annotations: %s)', async (hasAnnotations) => {
    const os = await openOsImage({ chunks: CHUNKS, hasAnnotations });

    expect(await read(os)).toEqual(EXPECTED);
    expect([...os.layersRead()].sort()).toEqual([2, 3]);
  });

  it('reads nothing the second time', async () => {
    const os = await openOsImage({ chunks: CHUNKS });
    await read(os);
    os.layersRead();

    expect(await read(os)).toEqual(EXPECTED);
    expect(os.layersRead()).toEqual([]);
  });

  it('finds modules in the package of the kernel itself, as up to RHEL 9.1', async () => {
    const whole = { components: core.components, entries: [...core.entries, ...modulesCore.entries] };
    const os = await openOsImage({ chunks: [other, whole, generated] });

    expect(await read(os)).toEqual(EXPECTED);
    expect(os.layersRead()).toEqual([2]);
  });

  it('looks through all chunks only when none is named after the kernel', async () => {
    const unnamed = CHUNKS.map((chunk) => ({
      ...chunk,
      components: Array.from({ length: 9 }, (_, at) => `p${at}`),
    }));
    const os = await openOsImage({ chunks: unnamed });

    expect(await read(os)).toEqual(EXPECTED);
  });

  it('takes the files of a kernel that was layered on top', async () => {
    const hotfix = asFiles({
      [`${MODULES}/modules.builtin`]: '',
      [`${MODULES}/symvers.xz`]: 'newer',
      [`${MODULES}/kernel/c.ko.xz`]: 'c',
    });
    const os = await openOsImage({ chunks: CHUNKS, derived: [hotfix] });

    expect(await read(os)).toEqual({ ...EXPECTED, symvers: 'symvers.xz newer', module: 'kernel/c.ko.xz c' });
  });

  it('passes over layers that only add modules, and sees what they take away', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [asFiles({ [`${MODULES}/extra/x.ko`]: 'x', [`${MODULES}/.wh.config`]: '' })],
    });
    const added = os.image.manifest.layers.at(-1);
    if (added !== undefined) await readLayerFacts(os.image.repository, added, os.cache);

    expect(await read(os)).toEqual({ ...EXPECTED, config: undefined });
  });

  it('leaves open what no layer has', async () => {
    const os = await openOsImage({
      chunks: [other, generated, { components: ['kernel-core-1'], entries: [] }],
    });

    expect(await read(os)).toEqual({ symvers: undefined, config: undefined, module: undefined });
    expect(os.layersRead()).toEqual([3]);
  });
});
