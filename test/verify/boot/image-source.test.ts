import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../../src/events.ts';
import { keepLayerPaths } from '../../../src/layer/layer-paths.ts';
import { parseKernelRelease } from '../../../src/spec/kernel-release.ts';
import { type BootKit, makeBootKit } from '../../../src/verify/boot/boot-kit.ts';
import { readImageSource } from '../../../src/verify/boot/image-source.ts';
import {
  asFiles,
  asObjects,
  KERNEL,
  MODULES,
  openOsImage,
  type OsImage,
  type OsLayer,
} from '../../layer/os-image.ts';
import type { Entry } from '../../support/synthetic-image.ts';
import { makeProgram } from './make-program.ts';

const PROGRAM = makeProgram({ interpreter: '/lib64/ld-linux-x86-64.so.2', libraries: ['libc.so.6'] });

const INDEXES: Readonly<Record<string, string>> = Object.fromEntries([
  ['dep', 'kernel/a.ko.xz: kernel/b.ko.xz\nkernel/b.ko.xz:\nkernel/c.ko.xz:\n'],
  ...['dep.bin', 'alias', 'alias.bin', 'symbols.bin', 'softdep', 'builtin', 'builtin.bin'].map((name) => [
    name,
    `${name} of the base`,
  ]),
]) as Record<string, string>;

/** Object and real path of a symlink, as a chunk has them. */
function linkObject(path: string, target: string): Entry[] {
  const object = `sysroot/ostree/repo/objects/aa/${Buffer.from(path).toString('hex')}.file`;
  return [
    { path: object, symlink: target },
    { path, hardlink: object },
  ];
}

const KERNEL_CHUNK: OsLayer = {
  components: ['kernel-core'],
  entries: asObjects({
    [`${MODULES}/vmlinuz`]: 'vmlinuz',
    ...Object.fromEntries(
      ['a', 'b', 'c'].map((name) => [`${MODULES}/kernel/${name}.ko.xz`, `module ${name}`]),
    ),
  }),
};
const INDEX_CHUNK: OsLayer = {
  components: ['initramfs', 'rpmostree-unpackaged-content'],
  entries: asObjects(
    Object.fromEntries(Object.entries(INDEXES).map(([name, text]) => [`${MODULES}/modules.${name}`, text])),
  ),
};
const USERLAND_CHUNK: OsLayer = {
  components: ['bash', 'glibc', 'kmod', 'util-linux'],
  entries: [
    ...['usr/bin/bash', 'usr/bin/mount', 'usr/bin/cat', 'usr/bin/kmod'].flatMap((path, at): Entry[] => {
      const object = `sysroot/ostree/repo/objects/bb/${at}.file`;
      return [
        { path: object, content: PROGRAM },
        { path, hardlink: object },
      ];
    }),
    ...linkObject('usr/bin/sh', 'bash'),
    ...['modprobe', 'insmod', 'rmmod', 'lsmod'].flatMap((name) =>
      linkObject(`usr/sbin/${name}`, '../bin/kmod'),
    ),
    { path: 'usr/lib64/libc.so.6', content: makeProgram() },
    { path: 'usr/lib64/ld-linux-x86-64.so.2', content: makeProgram() },
    { path: 'usr/lib/modprobe.d/base.conf', content: 'options a from=base\n' },
    { path: 'usr/etc/modprobe.d/own.conf', content: 'options a from=etc\n' },
  ],
};
const OTHER_CHUNK: OsLayer = {
  components: ['linux-firmware'],
  entries: asObjects({ 'usr/lib/firmware/x': 'firmware', 'usr/lib64/libspecial.so.1': 'special' }),
};

const CHUNKS = [OTHER_CHUNK, KERNEL_CHUNK, USERLAND_CHUNK, INDEX_CHUNK];

async function kitOf(os: OsImage, modules: readonly string[], events: BuildEvent[] = []): Promise<BootKit> {
  const kernel = parseKernelRelease(KERNEL);
  const { signal } = new AbortController();
  const io = { cache: os.cache, report: (event: BuildEvent) => void events.push(event), signal };
  return makeBootKit(await readImageSource(os.image, { kernel, modules }, io), kernel, modules);
}

function textOf({ entries }: BootKit, path: string): string | undefined {
  const entry = entries.find((one) => one.path === path);
  return entry?.type === 'file' ? Buffer.from(entry.bytes).toString() : undefined;
}

describe('readImageSource()', () => {
  it('finds kernel, modules, indexes, configuration and userland of an image', async () => {
    const os = await openOsImage({ chunks: CHUNKS, hasAnnotations: true });

    const kit = await kitOf(os, ['a']);

    expect(Buffer.from(kit.vmlinuz).toString()).toBe('vmlinuz');
    expect(textOf(kit, `${MODULES}/kernel/a.ko.xz`)).toBe('module a');
    expect(textOf(kit, `${MODULES}/kernel/b.ko.xz`)).toBe('module b');
    expect(textOf(kit, `${MODULES}/kernel/c.ko.xz`)).toBeUndefined();
    expect(textOf(kit, `${MODULES}/modules.dep.bin`)).toBe('dep.bin of the base');
    expect(textOf(kit, 'usr/lib/modprobe.d/base.conf')).toBe('options a from=base\n');
    expect(textOf(kit, 'etc/modprobe.d/own.conf')).toBe('options a from=etc\n');
    expect(kit.entries).toContainEqual({ path: 'usr/bin/sh', type: 'symlink', target: 'bash' });
  });

  it('reads each layer that promises something once, and none of the others; a second boot reads nothing', async () => {
    const os = await openOsImage({ chunks: CHUNKS, hasAnnotations: true });

    await kitOf(os, ['a']);
    expect(os.layersRead()).toEqual([4, 2, 3]);

    await kitOf(os, ['a']);
    expect(os.layersRead()).toEqual([]);
  });

  it('reads a layer again only for modules that it was not asked for before', async () => {
    const os = await openOsImage({ chunks: CHUNKS, hasAnnotations: true });
    await kitOf(os, ['a']);
    os.layersRead();

    const kit = await kitOf(os, ['c', 'a']);

    expect(textOf(kit, `${MODULES}/kernel/c.ko.xz`)).toBe('module c');
    expect(os.layersRead()).toEqual([2]);
  });

  it('reads on until every file of modprobe.d was seen that the commit has', async () => {
    const config = 'usr/lib/modprobe.d/late.conf';
    const late: OsLayer = { components: ['systemd'], entries: asObjects({ [config]: 'blacklist x\n' }) };
    const os = await openOsImage({ chunks: [late, ...CHUNKS], hasAnnotations: true });
    const [first] = os.image.manifest.layers;
    const image = {
      ...os.image,
      config: { ...os.image.config, labels: { ...os.image.config.labels, 'ostree.commit': '0123' } },
    };
    const paths = new Map([[config, { kind: 'file', sizeBytes: undefined } as const]]);
    if (first !== undefined)
      await keepLayerPaths(first, { paths, whiteouts: [], opaque: [] }, os.cache, 'commit');

    expect(textOf(await kitOf({ ...os, image }, ['a']), config)).toBe('blacklist x\n');
    expect(textOf(await kitOf({ ...os, image: os.image }, ['a']), config)).toBeUndefined();
  });

  it('lets layers on top replace, add and remove', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [
        asFiles({
          [`${MODULES}/extra/ours.ko`]: 'old',
          [`${MODULES}/modules.dep`]: 'extra/gone.ko:\n',
          'usr/lib/modprobe.d/ours.conf': 'options ours x=1\n',
        }),
        [
          ...asFiles({
            [`${MODULES}/extra/ours.ko`]: 'new',
            [`${MODULES}/modules.dep`]: 'kernel/a.ko.xz: kernel/b.ko.xz\nkernel/b.ko.xz:\nextra/ours.ko:\n',
          }),
          { path: 'usr/lib/modprobe.d/.wh.base.conf', content: '' },
        ],
      ],
    });

    const kit = await kitOf(os, ['ours', 'a']);

    expect(textOf(kit, `${MODULES}/extra/ours.ko`)).toBe('new');
    expect(textOf(kit, `${MODULES}/kernel/b.ko.xz`)).toBe('module b');
    expect(textOf(kit, 'usr/lib/modprobe.d/ours.conf')).toBe('options ours x=1\n');
    expect(textOf(kit, 'usr/lib/modprobe.d/base.conf')).toBeUndefined();
  });

  it('reads images of plain layers', async () => {
    const os = await openOsImage({ chunks: CHUNKS, hasFinalDiffId: false });

    expect(textOf(await kitOf(os, ['a']), `${MODULES}/kernel/a.ko.xz`)).toBe('module a');
  });

  it('finds libraries that nobody expects', async () => {
    const special = makeProgram({ libraries: ['libspecial.so.1', 'libc.so.6'] });
    const os = await openOsImage({
      chunks: [
        OTHER_CHUNK,
        KERNEL_CHUNK,
        {
          ...USERLAND_CHUNK,
          entries: [
            ...USERLAND_CHUNK.entries.filter(({ path }) => path !== 'usr/bin/cat'),
            { path: 'usr/bin/cat', content: special },
          ],
        },
        INDEX_CHUNK,
      ],
    });

    const kit = await kitOf(os, ['a']);

    expect(textOf(kit, 'usr/lib64/libspecial.so.1')).toBe('special');
  });

  it('follows links of an ordinary layer, wherever their targets stand', async () => {
    const os = await openOsImage({
      chunks: CHUNKS,
      derived: [
        [
          { path: 'usr/bin/cat', hardlink: 'usr/libexec/cat' },
          { path: 'usr/libexec/cat', content: PROGRAM },
        ],
      ],
    });

    expect(textOf(await kitOf(os, ['a']), 'usr/bin/cat')).toBe(PROGRAM.toString());
  });

  it.each([
    ['KERNEL_MISSING', [USERLAND_CHUNK, INDEX_CHUNK], ['a']],
    ['USERLAND_MISSING', [KERNEL_CHUNK, INDEX_CHUNK], ['a']],
  ] as const)('%s', async (code, chunks, modules) => {
    const os = await openOsImage({ chunks });

    await expect(kitOf(os, modules)).rejects.toMatchObject({ code });
  });
});
