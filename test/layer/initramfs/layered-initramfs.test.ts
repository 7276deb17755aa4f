import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBaseInitramfs } from '../../../src/layer/initramfs/base-initramfs.ts';
import { layeredInitramfs } from '../../../src/layer/initramfs/initramfs-file.ts';
import { makeArchive } from '../../../src/layer/initramfs/make-archive.ts';
import { readInitramfs } from '../../../src/layer/initramfs/read-initramfs.ts';
import { writeInitramfs } from '../../../src/layer/initramfs/write-cpio.ts';
import { makeLayer, makeStreamedLayer } from '../../../src/layer/make-layer.ts';
import { modulePath, type PlacedDriver } from '../../../src/layer/place.ts';
import { parseKernelRelease } from '../../../src/spec/kernel-release.ts';
import { makeTestIo } from '../../support/io.ts';
import { chunked } from '../../support/synthetic-release.ts';
import { KERNEL, MODULES, openOsImage, type OsImage } from '../os-image.ts';

const RELEASE = parseKernelRelease(KERNEL);
const BASE = gzipSync(
  writeInitramfs([
    { path: 'init', type: 'file', bytes: Buffer.from('init') },
    { path: 'lib', type: 'symlink', target: 'usr/lib' },
    { path: 'usr/lib/systemd/systemd', type: 'file', bytes: Buffer.from('systemd') },
  ]),
);

function driver(autoload: boolean): PlacedDriver {
  const module = (name: string, initramfs: boolean): PlacedDriver['modules'][number] => ({
    ...{ name, fileName: `${name}.ko`, autoload, replaces: [], parameters: { greeting: 'hi' }, initramfs },
    bytes: readFileSync(`fixtures/quickstart/modules/${name}.ko`),
  });
  return {
    name: 'hello',
    modules: [module('kl_base', false), module('kl_hello', true)],
    softdeps: [],
    firmware: [],
  };
}

const INDEXES = new Map([
  ['modules.dep', Buffer.from('extra/hello/kl_base.ko:\nextra/hello/kl_hello.ko: extra/hello/kl_base.ko\n')],
]);

async function osImage(initramfs: Uint8Array = BASE): Promise<OsImage> {
  return openOsImage({
    chunks: [
      {
        components: [`initramfs (kernel ${KERNEL})`, 'rpmostree-unpackaged-content'],
        entries: [
          ...chunked(`${MODULES}/initramfs.img`, initramfs),
          ...chunked(`${MODULES}/modules.dep`, ''),
        ],
      },
    ],
  });
}

async function bytesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of chunks) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

describe('layeredInitramfs()', () => {
  it('appends the modules that are asked for, what they need, and their configuration', async () => {
    const { image, cache } = await osImage();
    const io = { ...makeTestIo(), cache };
    const request = { image, kernel: RELEASE, drivers: [driver(true)], indexes: INDEXES };

    const made = await layeredInitramfs(request, io);

    expect(made?.file.path).toBe(`${MODULES}/initramfs.img`);
    const bytes = await bytesOf(made!.file.open());
    expect(bytes.length).toBe(made?.file.sizeBytes);
    expect(bytes.subarray(0, BASE.length).equals(BASE)).toBe(true);
    const files = new Map<string, string>();
    await readInitramfs(once(bytes), {
      wants: () => true,
      onEntry: () => undefined,
      onContent: ({ path }, content) => void files.set(path, content.toString('latin1')),
    });
    expect(files.get('init')).toBe('init');
    expect(files.get(`${MODULES}/modules.dep`)).toBe(
      'updates/hello/kl_base.ko:\nupdates/hello/kl_hello.ko: updates/hello/kl_base.ko\n',
    );
    expect(files.get('usr/lib/modules-load.d/kmodlayer-hello.conf')).toBe('kl_base\nkl_hello\n');
    expect(files.get('usr/lib/modprobe.d/kmodlayer-hello.conf')).toContain('options kl_hello greeting=hi');
    expect(made?.archive.modules).toEqual(['updates/hello/kl_base.ko', 'updates/hello/kl_hello.ko']);
    const again = await layeredInitramfs(request, io);
    expect((await bytesOf(again!.file.open())).equals(bytes)).toBe(true);
  });

  it('makes nothing when no module is to be in it', async () => {
    const { image } = await osImage();
    const drivers = [{ ...driver(true), modules: [] }];

    const made = await layeredInitramfs({ image, kernel: RELEASE, drivers, indexes: INDEXES }, makeTestIo());

    expect(made).toBeUndefined();
  });

  it('refuses a base that has no initramfs, and one whose directory of modules is behind a link', async () => {
    const { image } = await openOsImage({ chunks: [{ components: ['bash'], entries: [] }] });
    const drivers = [driver(true)];

    const none = layeredInitramfs({ image, kernel: RELEASE, drivers, indexes: INDEXES }, makeTestIo());
    await expect(none).rejects.toMatchObject({ code: 'BASE_UNSUPPORTED' });
    const linked = makeArchive({
      kernel: RELEASE,
      drivers,
      initramfs: { indexes: new Map(), modules: [], directory: undefined, links: ['usr/lib'] },
      tree: { indexes: INDEXES, pathOf: modulePath, readModules: () => Promise.resolve(new Map()) },
    });
    await expect(linked).rejects.toMatchObject({
      code: 'BASE_UNSUPPORTED',
      message: expect.stringContaining('/usr/lib is a symlink') as unknown,
    });
  });
});

describe('readBaseInitramfs()', () => {
  it('streams the layer once to learn what is in it, and then not at all', async () => {
    const os = await osImage();
    const io = { ...makeTestIo(), cache: os.cache };
    await readBaseInitramfs(os.image, RELEASE, io);
    os.layersRead();

    const { links, modules, sizeBytes } = await readBaseInitramfs(os.image, RELEASE, io);

    expect(os.layersRead()).toEqual([]);
    expect({ links, modules, sizeBytes }).toEqual({ links: ['lib'], modules: [], sizeBytes: BASE.length });
  });
});

describe('makeStreamedLayer()', () => {
  it('makes the layer that makeLayer() makes, each time that it is read', async () => {
    const bytes = Buffer.alloc(3_000_000, 'some text');
    const other = { path: 'usr/lib/b', bytes: Buffer.from('b') };

    const held = await makeLayer([{ path: 'usr/lib/a', bytes }, other]);
    const streamed = await makeStreamedLayer([
      { path: 'usr/lib/a', sizeBytes: bytes.length, open: () => once(bytes) },
      other,
    ]);

    expect(streamed.diffId).toBe(held.diffId);
    const [one, two] = [await bytesOf(streamed.chunks), await bytesOf(streamed.chunks)];
    expect(one.length).toBe(streamed.sizeBytes);
    expect(one.equals(two)).toBe(true);
  });

  it('refuses a file whose size is another than was said', async () => {
    const making = makeStreamedLayer([
      { path: 'usr/lib/a', sizeBytes: 3, open: () => once(Buffer.from('ab')) },
    ]);

    await expect(making).rejects.toMatchObject({ code: 'CONTENT_INVALID' });
  });
});
