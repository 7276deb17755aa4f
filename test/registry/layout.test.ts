import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LayoutReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { makeImages } from '../../src/registry/images.ts';
import { descriptorOf, readAll, registryContract, writeBlob, writeImage } from '../contract/registry.ts';

registryContract(
  'an oci: layout',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'layout-'));
    return {
      images: makeImages({}),
      referenceOf: (name) => layoutAt(join(directory, name)),
      close: () => rm(directory, { recursive: true }),
    };
  },
  { canMount: true, checksBlobs: false },
);

describe('an oci: layout', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layout-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });
  const images = makeImages({});

  it('is not there before something is written', async () => {
    const path = join(directory, 'absent');

    const opening = images.open(layoutAt(path), 'read');

    await expect(opening).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is refused when the directory holds something else', async () => {
    const opening = images.open(layoutAt(directory), 'read');

    await expect(opening).rejects.toMatchObject({ code: 'LAYOUT_INVALID' });
  });

  it('is refused when its index is broken', async () => {
    const path = join(directory, 'broken');
    const repository = await images.open(layoutAt(path), 'write');
    await repository.writeManifest(await writeImage(repository, 'fine'), parseTag('v1'));
    await writeFile(join(path, 'index.json'), '{"manifests":[{}]}');

    const reading = (await images.open(layoutAt(path), 'read')).getManifest(parseTag('v1'));

    await expect(reading).rejects.toMatchObject({ code: 'LAYOUT_INVALID' });
  });

  it('holds only the files that the image layout names', async () => {
    const path = join(directory, 'tidy');
    const repository = await images.open(layoutAt(path), 'write');
    await repository.writeManifest(await writeImage(repository, 'fine'), parseTag('v1'));
    await repository
      .writeBlob(descriptorOf(Buffer.from('good')), () => [Buffer.from('evil')])
      .catch(() => undefined);

    const files = (await readdir(path, { recursive: true })).sort();

    expect(files.filter((file) => !/^blobs\/sha256\/[0-9a-f]{64}$/.test(file))).toEqual([
      'blobs',
      'blobs/sha256',
      'index.json',
      'oci-layout',
    ]);
    expect(await readFile(join(path, 'oci-layout'), 'utf8')).toBe('{"imageLayoutVersion":"1.0.0"}');
  });

  it('does not hand out a blob that was damaged on disk', async () => {
    const path = join(directory, 'damaged');
    const repository = await images.open(layoutAt(path), 'write');
    const blob = await writeBlob(repository, Buffer.from('precious'));
    await writeFile(join(path, 'blobs/sha256', blob.digest.slice(7)), 'precioUs');

    const reading = readAll(repository.readBlob(blob));

    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('links a blob of another layout instead of copying it', async () => {
    const source = await images.open(layoutAt(join(directory, 'source')), 'write');
    const target = await images.open(layoutAt(join(directory, 'target')), 'write');
    const blob = await writeBlob(source, Buffer.from('one inode'));

    await target.mountBlob(blob, source);

    const file = await stat(join(directory, 'target/blobs/sha256', blob.digest.slice(7)));
    expect(file.nlink).toBe(2);
  });

  it('needs no tag to name its one manifest', async () => {
    const repository = await images.open(layoutAt(join(directory, 'single')), 'write');
    const [first, second] = [await writeImage(repository, 'one'), await writeImage(repository, 'two')];

    const ofNone = await repository.defaultManifest();
    await repository.writeManifest(first);
    const ofOne = await repository.defaultManifest();
    await repository.writeManifest(second, parseTag('v2'));
    const ofTwo = await repository.defaultManifest();

    expect([ofNone, ofOne, ofTwo]).toEqual([undefined, first.digest, undefined]);
  });

  it('takes over the lock of a writer that died', async () => {
    const path = join(directory, 'locked');
    const repository = await images.open(layoutAt(path), 'write');
    const manifest = await writeImage(repository, 'locked');
    const lock = join(path, '.index.json.lock');
    await writeFile(lock, '');
    const { utimes } = await import('node:fs/promises');
    await utimes(lock, new Date(0), new Date(0));

    await repository.writeManifest(manifest, parseTag('v1'));

    expect((await repository.getManifest(parseTag('v1'))).digest).toBe(manifest.digest);
  });

  it('stops writing when the work is cancelled, and leaves nothing', async () => {
    const path = join(directory, 'cancelled');
    const controller = new AbortController();
    const repository = await makeImages({ signal: controller.signal }).open(layoutAt(path), 'write');
    const bytes = Buffer.alloc(100_000);

    const writing = repository.writeBlob(descriptorOf(bytes), function* () {
      yield bytes.subarray(0, 10);
      controller.abort();
      yield bytes.subarray(10);
    });

    await expect(writing).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(join(path, 'blobs/sha256'))).toEqual([]);
  });
});

function layoutAt(path: string): LayoutReference {
  return { transport: 'oci', path };
}
