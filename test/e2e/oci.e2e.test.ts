import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLayer } from '../../src/layer/make-layer.ts';
import { type AppendedImage, appendLayer } from '../../src/oci/image.ts';
import { readLayerFiles } from '../../src/oci/layer-files.ts';
import { type LayerEntry, walkLayer } from '../../src/oci/layer-reader.ts';
import type { Family } from '../../src/oci/media-type.ts';
import { type OpenedImage, openImage } from '../../src/oci/open-image.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { push } from '../../src/push/push.ts';
import { makeImages } from '../../src/registry/images.ts';
import { startDebianRegistry } from '../support/debian-registry.ts';
import { MemoryRepository } from '../support/memory-images.ts';
import { unpackImage } from '../support/merged-root.ts';
import { END_OF_TAR, rawEntry } from '../support/raw-tar.ts';
import { addImage } from '../support/synthetic-image.ts';

const run = promisify(execFile);
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-oci-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

const LONG = `usr/lib/firmware/${'long-directory/'.repeat(12)}${'n'.repeat(120)}.bin`;
const FILES = [
  { path: 'usr/lib/modules/6.1.0/extra/ice/ice.ko', bytes: randomBytes(100_000) },
  { path: 'usr/lib/modules-load.d/ice.conf', bytes: Buffer.from('ice\n') },
  { path: 'usr/lib/firmware/größe.bin', bytes: Buffer.from('firmware') },
  { path: 'usr/libexec/ice', bytes: Buffer.from('#!/bin/sh\n'), mode: 0o755 },
  { path: LONG, bytes: Buffer.from('long') },
];

describe('a layer of ours', () => {
  it('is listed by GNU tar: sorted, parents first, root owned, one time', async () => {
    const file = join(scratch, 'layer.tar.gz');
    await writeFile(file, (await makeLayer(FILES)).chunks);

    const { stdout, stderr } = await run(
      'tar',
      ['--numeric-owner', '--utc', '--full-time', '--quoting-style=literal', '-tvzf', file],
      {
        env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      },
    );

    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    const names = lines.map((line) => line.slice(line.indexOf('usr/')));
    const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
    expect(names).toEqual(
      names
        .map((name) => name.replace(/\/$/, ''))
        .sort(byBytes)
        .map((name) => (FILES.some(({ path }) => path === name) ? name : `${name}/`)),
    );
    expect(names.filter((name) => !name.endsWith('/')).sort()).toEqual(FILES.map(({ path }) => path).sort());
    for (const line of lines) {
      expect(line).toMatch(/^(?:drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) 0\/0 +\d+ 1970-01-01 00:00:01 usr\//);
    }
    expect(lines.find((line) => line.endsWith('usr/libexec/ice'))).toMatch(/^-rwxr-xr-x/);
  });

  it('is unpacked by GNU tar to the same bytes', async () => {
    const root = join(scratch, 'unpacked');
    await mkdir(root);
    const file = join(scratch, 'layer-2.tar.gz');
    await writeFile(file, (await makeLayer(FILES)).chunks);

    await run('tar', ['-xzf', file, '-C', root]);

    for (const { path, bytes } of FILES) expect((await readFile(join(root, path))).equals(bytes)).toBe(true);
  });

  it.each<Family>(['oci', 'docker'])(
    'stands on a base of the %s family in a layout that skopeo and umoci read',
    async (family) => {
      const { base, image } = await makeImage(family, 'oci');
      const layout = join(scratch, `layout-${family}`);
      const to = await makeImages({}).open(parseReference(`oci:${layout}`), 'write');

      await push({ image, base: base.repository, to, tag: parseTag('1') }, quiet());

      await expectReadable(`oci:${layout}:1`, { base, image });
      const root = join(scratch, `root-${family}`);
      await unpackImage({ image: `oci:${layout}:1`, to: root });
      expect(await readFile(join(root, 'usr/lib/modules-load.d/ice.conf'), 'utf8')).toBe('ice\n');
      expect(await readFile(join(root, 'usr/lib/kept'), 'utf8')).toBe('kept');
    },
  );

  it.each<Family>(['oci', 'docker'])(
    'stands on a base of the %s family in a real registry, which takes no mixture',
    async (family) => {
      const { base, image } = await makeImage(family, family);
      const registry = await startDebianRegistry({ isSecured: false });
      try {
        const images = makeImages({ insecureRegistries: [registry.host] });
        const to = await images.open(parseReference(`${registry.host}/acme/os`), 'write');

        await push({ image, base: base.repository, to, tag: parseTag('1') }, quiet());

        const name = `docker://${registry.host}/acme/os:1`;
        await expectReadable(name, { base, image }, ['--tls-verify=false']);
        const raw = await run('skopeo', ['inspect', '--tls-verify=false', '--raw', name]);
        expect(raw.stdout).toBe(Buffer.from(image.manifest.bytes).toString());
      } finally {
        await registry.close();
      }
    },
  );
});

async function makeImage(
  family: Family,
  written: Family,
): Promise<{ base: OpenedImage; image: AppendedImage }> {
  const memory = new MemoryRepository(parseReference('registry.example.com/os'));
  const base = await openImage(
    memory,
    await addImage(memory, {
      family,
      labels: { version: '418.94' },
      history: ['kernel', 'rest'],
      layers: [
        [{ path: 'usr/lib/modules-load.d/ice.conf', content: 'old\n' }],
        [{ path: 'usr/lib/kept', content: 'kept' }],
      ],
    }),
    'x86_64',
  );
  const image = appendLayer({
    base,
    layer: await makeLayer(FILES),
    labels: { 'com.example.driver': 'ice' },
    layerAnnotations: { 'ostree.components': 'kmodlayer' },
    createdBy: 'kmodlayer: ice',
    created: '2026-01-02T03:04:05Z',
    family: written,
  });
  return { base, image };
}

function quiet() {
  return { report: () => undefined, signal: new AbortController().signal };
}

/** Skopeo finds in the image what we put there. */
async function expectReadable(
  name: string,
  { base, image }: { readonly base: OpenedImage; readonly image: AppendedImage },
  flags: readonly string[] = [],
): Promise<void> {
  const inspected = await run('skopeo', ['inspect', ...flags, name]);
  expect(JSON.parse(inspected.stdout)).toMatchObject({
    Digest: image.manifest.digest,
    Labels: { version: '418.94', 'com.example.driver': 'ice' },
    Layers: [...base.manifest.layers.map(({ digest }) => digest), image.layer.descriptor.digest],
  });
  const config = JSON.parse((await run('skopeo', ['inspect', ...flags, '--config', name])).stdout) as {
    history: { created_by: string }[];
    rootfs: { diff_ids: string[] };
  };
  expect(config.history.map(({ created_by }) => created_by)).toEqual(['kernel', 'rest', 'kmodlayer: ice']);
  expect(config.rootfs.diff_ids).toHaveLength(3);
}

describe('a layer of GNU tar', () => {
  it.each(['gnu', 'pax', 'ustar', 'v7'])('is read as it stands, in the format %s', async (format) => {
    const root = join(scratch, `tree-${format}`);
    // Only two formats can hold paths of any length.
    const deep = ['gnu', 'pax'].includes(format) ? LONG : 'usr/lib/firmware/short.bin';
    const contents: Record<string, Buffer> = {
      'usr/lib/large': randomBytes(3_000_000),
      'usr/lib/empty': Buffer.alloc(0),
      [deep]: Buffer.from('deep'),
    };
    for (const [path, bytes] of Object.entries(contents)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), bytes);
    }
    await link(join(root, deep), join(root, `${deep.slice(0, -4)}.lnk`));
    await symlink('../lib/large', join(root, 'usr/lib/symlink'));
    const file = join(scratch, `${format}.tar.gz`);
    await run('tar', ['--format', format, '--sort=name', '-czf', file, '-C', root, './usr']);

    const entries: LayerEntry[] = [];
    const { files } = await readLayerFiles(() => createReadStream(file), {
      maxBytes: 1e9,
      wants: () => true,
      onEntry: (entry) => entries.push(entry),
    });

    expect(digests(files)).toEqual({
      ...digests(Object.entries(contents)),
      ...digests([[`${deep.slice(0, -4)}.lnk`, Buffer.from('deep')]]),
    });
    const names = (await run('tar', ['--quoting-style=literal', '-tzf', file])).stdout.trimEnd().split('\n');
    expect(entries.map(({ path }) => path)).toEqual(
      names.map((name) => name.replace(/^\.\//, '').replace(/\/$/, '')),
    );
    expect(entries.find(({ path }) => path === 'usr/lib/symlink')).toMatchObject({
      type: 'symlink',
      linkPath: '../lib/large',
    });
  });

  it('is refused or read when a file has holes, and never read wrongly', async () => {
    const root = join(scratch, 'sparse');
    await mkdir(join(root, 'usr'), { recursive: true });
    await run('truncate', ['-s', '8M', join(root, 'usr/sparse')]);
    await writeFile(join(root, 'usr/z'), 'z');
    const file = join(scratch, 'sparse.tar');
    await run('tar', ['--format=gnu', '--sparse', '--sort=name', '-cf', file, '-C', root, 'usr']);
    const contents = new Map<string, number>();

    await walkLayer(createReadStream(file), {
      maxBytes: 1e9,
      wants: () => true,
      onContent: ({ path }, bytes) => contents.set(path, bytes.length),
    });

    expect([...contents]).toEqual([['usr/z', 1]]);
  });
});

describe('readLayerFiles() on a layer of 90 MB with 12,000 entries', () => {
  it('takes less than 130 MB of memory, the whole process', async () => {
    const layer = join(scratch, 'large.tar.gz');
    await pipeline(Readable.from(largeLayer()), createGzip({ level: 1 }), createWriteStream(layer));
    const program = join(scratch, 'read.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'read-large-layer.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });

    const { stdout } = await run(process.execPath, [program, layer, nameOf(4000)]);

    const { sizeBytes, maxRssBytes } = JSON.parse(stdout) as { sizeBytes: number; maxRssBytes: number };
    expect(sizeBytes).toBe(50_000);
    expect(maxRssBytes).toBeLessThan(130 * 1024 ** 2);
  });
});

function nameOf(at: number): string {
  return `usr/lib/modules/5.14.0-427.el9_4.x86_64/kernel/drivers/net/ethernet/intel/a/long/path/number${at}.ko.xz`;
}

/** Objects and their links, as rpm-ostree writes them. */
function* largeLayer(): Generator<Buffer> {
  for (let at = 0; at < 4100; at++) {
    const content = Buffer.concat([randomBytes(22_000), Buffer.alloc(28_000, 'x')]);
    const checksum = createHash('sha256').update(content).digest('hex');
    const object = `sysroot/ostree/repo/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.file`;
    const xattrs = `sysroot/ostree/repo/objects/ab/${'c'.repeat(62)}.file-xattrs`;
    yield* longEntry(`${object}-xattrs-link`, xattrs);
    yield rawEntry({ name: object }, content);
    yield* longEntry(nameOf(at), object);
  }
  yield END_OF_TAR;
}

function* longEntry(name: string, linkName: string): Generator<Buffer> {
  yield rawEntry({ name: '././@LongLink', type: 'L' }, `${name}\0`);
  yield rawEntry({ name: name.slice(0, 99), type: '1', linkName });
}

function digests(files: Iterable<readonly [string, Uint8Array]>): Record<string, string> {
  return Object.fromEntries(
    [...files].map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]),
  );
}
