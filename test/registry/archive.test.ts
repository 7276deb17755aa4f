import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LayoutReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { makeImages } from '../../src/registry/images.ts';
import { descriptorOf, readAll, registryContract, writeBlob, writeImage } from '../contract/registry.ts';

const V1 = parseTag('v1');

registryContract(
  'an oci-archive: file',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'archive-'));
    return {
      images: makeImages({}),
      referenceOf: (name) => archiveAt(join(directory, `${name}.tar`)),
      close: () => rm(directory, { recursive: true }),
    };
  },
  { canMount: false, checksBlobs: false },
);

describe('an oci-archive: file', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'archive-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });
  const images = makeImages({});

  it('is not there before a manifest is written', async () => {
    const path = join(directory, 'early.tar');
    const repository = await images.open(archiveAt(path), 'write');
    await writeImage(repository, 'only blobs');

    const opening = images.open(archiveAt(path), 'read');

    await expect(opening).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('holds two images of one run, and nothing beside it is left', async () => {
    const path = join(directory, 'sub', 'two.tar');
    const [one, other] = [
      await images.open(archiveAt(path), 'write'),
      await images.open(archiveAt(path), 'write'),
    ];
    const first = await writeImage(one, 'first');
    await one.writeManifest(first, parseTag('one'));
    const second = await writeImage(other, 'second');
    await other.writeManifest(second, parseTag('two'));

    const read = await makeImages({}).open(archiveAt(path), 'read');

    expect((await read.getManifest(parseTag('one'))).digest).toBe(first.digest);
    expect((await read.getManifest(parseTag('two'))).digest).toBe(second.digest);
    expect(await readdir(join(directory, 'sub'))).toEqual(['two.tar']);
  });

  it('replaces an older file only when it is complete', async () => {
    const path = join(directory, 'old.tar');
    const before = await makeImages({}).open(archiveAt(path), 'write');
    const old = await writeImage(before, 'old');
    await before.writeManifest(old, V1);
    const after = await makeImages({}).open(archiveAt(path), 'write');
    const fresh = await writeImage(after, 'fresh');

    const meanwhile = await (await images.open(archiveAt(path), 'read')).getManifest(V1);
    await after.writeManifest(fresh, V1);
    const afterwards = await (await images.open(archiveAt(path), 'read')).getManifest(V1);

    expect(meanwhile.digest).toBe(old.digest);
    expect(afterwards.digest).toBe(fresh.digest);
  });

  it('keeps nothing of a blob that broke off', async () => {
    const path = join(directory, 'broken.tar');
    const repository = await images.open(archiveAt(path), 'write');
    await repository
      .writeBlob(descriptorOf(Buffer.from('good bytes')), () => [Buffer.from('evil bytes')])
      .catch(() => undefined);
    const blob = await writeBlob(repository, Buffer.from('later'));
    await repository.writeManifest(await writeImage(repository, 'layer'), V1);

    const read = await makeImages({}).open(archiveAt(path), 'read');

    expect((await readAll(read.readBlob(blob))).toString()).toBe('later');
    expect((await readFile(path)).includes('evil')).toBe(false);
  });

  it('leaves nothing when the work is cancelled', async () => {
    const path = join(directory, 'cancelled', 'a.tar');
    const controller = new AbortController();
    const repository = await makeImages({ signal: controller.signal }).open(archiveAt(path), 'write');
    await writeBlob(repository, Buffer.from('begun'));

    controller.abort();

    expect(await readdir(join(directory, 'cancelled'))).toEqual([]);
    await expect(writeBlob(repository, Buffer.from('more'))).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('reads a tar of other tools, with long names, links and directories', async () => {
    const layout = join(directory, 'layout');
    const repository = await images.open({ transport: 'oci', path: layout }, 'write');
    const manifest = await writeImage(repository, 'repacked');
    await repository.writeManifest(manifest, V1);
    const path = join(directory, 'repacked.tar');
    await writeFile(path, await tarOf(layout));

    const read = await images.open(archiveAt(path), 'read');

    expect((await read.getManifest(V1)).digest).toBe(manifest.digest);
    expect(await read.listTags(5)).toEqual(['v1']);
  });

  it('is refused with a way out when it is compressed', async () => {
    const path = join(directory, 'packed.tar.gz');
    await writeFile(path, gzipSync('whatever'));

    const opening = images.open(archiveAt(path), 'read');

    await expect(opening).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('gzip -d') as unknown,
    });
  });

  it('is refused when it breaks off', async () => {
    const path = join(directory, 'cut.tar');
    const repository = await images.open(archiveAt(path), 'write');
    await writeBlob(repository, Buffer.alloc(5000, 'x'));
    await repository.writeManifest(await writeImage(repository, 'cut'), V1);
    await truncate(path, 3000);

    const opening = images.open(archiveAt(path), 'read');

    await expect(opening).rejects.toMatchObject({ code: 'LAYOUT_INVALID' });
  });

  it.each([
    ['something else', Buffer.alloc(2000, 'a')],
    ['an empty tar', Buffer.alloc(1024)],
  ])('is refused when it is %s', async (_, content) => {
    const path = join(directory, 'other.tar');
    await writeFile(path, content);

    const opening = images.open(archiveAt(path), 'read');

    await expect(opening).rejects.toMatchObject({ code: 'LAYOUT_INVALID' });
  });
});

function archiveAt(path: string): LayoutReference {
  return { transport: 'oci-archive', path };
}

/** A tar of a directory as another writer would make it. */
async function tarOf(directory: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: './', type: 'directory' });
  tar.entry({ name: './link', type: 'symlink', linkname: 'index.json' });
  tar.entry({ name: `./${'long/'.repeat(50)}name`, pax: { comment: 'ü' } }, 'long');
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    tar.entry({ name: `./${file.slice(directory.length + 1)}` }, await readFile(file));
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
