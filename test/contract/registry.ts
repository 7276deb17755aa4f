import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RegistryError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type Digest, digestOf, parseDigest } from '../../src/oci/digest.ts';
import { rawManifest, type RawManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { type Reference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import type { Images, Repository } from '../../src/registry/repository.ts';

/** Something that keeps images, ready to be tried. */
export interface Subject {
  readonly images: Images;
  /** Where the repository of that name is. */
  readonly referenceOf: (name: string) => Reference;
  readonly close: () => Promise<void>;
}

export interface ContractOptions {
  /** Blobs of one repository can be linked into another one. */
  readonly canMount: boolean;
  /** A manifest without its blobs is refused. */
  readonly checksBlobs: boolean;
}

const ABSENT = parseDigest(`sha256:${'0'.repeat(64)}`);

/** What every repository does, wherever it is. Holds for registries, layouts and archives. */
export function registryContract(
  name: string,
  start: () => Promise<Subject>,
  options: ContractOptions,
): void {
  describe(`a repository in ${name}`, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(async () => {
      await subject.close();
    });
    const fresh = (): Promise<Repository> =>
      subject.images.open(subject.referenceOf(`contract/r${randomUUID().slice(0, 8)}`), 'write');

    it('gives back a blob of several megabytes as it was written', async () => {
      const repository = await fresh();
      const bytes = randomBytes(3 * 1024 ** 2 + 17);

      const blob = await writeBlob(repository, bytes);

      expect(await repository.hasBlob(blob)).toBe(true);
      expect(digestOf(await readAll(repository.readBlob(blob)))).toBe(blob.digest);
    });

    it('keeps an empty blob', async () => {
      const repository = await fresh();

      const blob = await writeBlob(repository, Buffer.alloc(0));

      expect(await readAll(repository.readBlob(blob))).toHaveLength(0);
    });

    it('reads only the first bytes of a blob when asked to', async () => {
      const repository = await fresh();
      const bytes = randomBytes(300_000);
      const blob = await writeBlob(repository, bytes);

      const prefix = await readAll(repository.readBlob(blob, { firstBytes: 1000 }));

      expect(prefix).toEqual(bytes.subarray(0, 1000));
    });

    it('lets a reader stop early', async () => {
      const repository = await fresh();
      const blob = await writeBlob(repository, randomBytes(2 * 1024 ** 2));
      let seen = 0;

      for await (const chunk of repository.readBlob(blob)) {
        seen += chunk.length;
        break;
      }

      expect(seen).toBeLessThanOrEqual(blob.sizeBytes);
      expect(await repository.hasBlob(blob)).toBe(true);
    });

    it('does not ask for the content of a blob that is there', async () => {
      const repository = await fresh();
      const blob = await writeBlob(repository, Buffer.from('here'));
      let opened = 0;

      await repository.writeBlob(blob, () => {
        opened++;
        return [Buffer.from('here')];
      });

      expect(opened).toBe(0);
    });

    it('says that a blob is not there', async () => {
      const repository = await fresh();
      const absent = { mediaType: MEDIA_TYPES.oci.layer, digest: ABSENT, sizeBytes: 5 };

      const isThere = await repository.hasBlob(absent);

      expect(isThere).toBe(false);
      await expect(readAll(repository.readBlob(absent))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('refuses bytes that do not hash to the digest, and keeps nothing of them', async () => {
      const repository = await fresh();
      const blob = descriptorOf(Buffer.from('the real bytes'));

      const writing = repository.writeBlob(blob, () => [Buffer.from('the fake bytes')]);

      await expect(writing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(await repository.hasBlob(blob)).toBe(false);
    });

    it('refuses content of another size, and keeps nothing of it', async () => {
      const repository = await fresh();
      const blob = descriptorOf(Buffer.from('the real bytes'));

      const short = repository.writeBlob(blob, () => [Buffer.from('the real')]);
      await expect(short).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
      const long = repository.writeBlob(blob, () => [Buffer.from('the real bytes and more')]);
      await expect(long).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });

      expect(await repository.hasBlob(blob)).toBe(false);
    });

    it('passes on the error of content that cannot be read, and keeps nothing', async () => {
      const repository = await fresh();
      const blob = descriptorOf(Buffer.from('never'));
      const broken = new Error('disk on fire');

      const writing = repository.writeBlob(blob, async function* () {
        yield Buffer.from('ne');
        throw broken;
      });

      await expect(writing).rejects.toBe(broken);
      expect(await repository.hasBlob(blob)).toBe(false);
    });

    it('keeps an image under a tag and under its digest', async () => {
      const repository = await fresh();

      const manifest = await writeImage(repository, 'image one');
      await repository.writeManifest(manifest, parseTag('v1'));

      expect(await repository.getManifest(parseTag('v1'))).toEqual(plain(manifest));
      expect(await repository.getManifest(manifest.digest)).toEqual(plain(manifest));
      expect(await repository.findManifest(parseTag('v1'))).toEqual({ digest: manifest.digest });
    });

    it('keeps an image without a tag', async () => {
      const repository = await fresh();
      const manifest = await writeImage(repository, 'no tag');

      await repository.writeManifest(manifest);

      expect(await repository.getManifest(manifest.digest)).toEqual(plain(manifest));
    });

    it('keeps an index of both families, and serves it as what it is', async () => {
      const repository = await fresh();
      const child = await writeImage(repository, 'child');
      await repository.writeManifest(child);

      for (const mediaType of [MEDIA_TYPES.oci.index, MEDIA_TYPES.docker.index]) {
        const index = indexOf(child, mediaType);
        await repository.writeManifest(index, parseTag('list'));
        expect(await repository.getManifest(parseTag('list'))).toEqual(plain(index));
      }
    });

    it('moves a tag to the image that was written last', async () => {
      const repository = await fresh();
      const first = await writeImage(repository, 'first');
      const second = await writeImage(repository, 'second');

      await repository.writeManifest(first, parseTag('latest'));
      await repository.writeManifest(second, parseTag('latest'));

      expect((await repository.getManifest(parseTag('latest'))).digest).toBe(second.digest);
      expect((await repository.getManifest(first.digest)).digest).toBe(first.digest);
    });

    it('lists tags, at most as many as asked for', async () => {
      const repository = await fresh();
      const manifest = await writeImage(repository, 'many tags');
      for (const tag of ['a', 'b', 'c']) await repository.writeManifest(manifest, parseTag(tag));

      expect([...(await repository.listTags(10))].sort()).toEqual(['a', 'b', 'c']);
      expect(await repository.listTags(2)).toHaveLength(2);
    });

    it('says that a manifest is not there', async () => {
      const repository = await fresh();
      await repository.writeManifest(await writeImage(repository, 'other'), parseTag('other'));

      const byTag = repository.getManifest(parseTag('absent'));
      await expect(byTag).rejects.toBeInstanceOf(RegistryError);
      await expect(byTag).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(repository.getManifest(ABSENT)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await repository.findManifest(parseTag('absent'))).toBeUndefined();
      expect(await repository.findManifest(ABSENT)).toBeUndefined();
    });

    it('refuses a manifest whose digest is not that of its bytes', async () => {
      const repository = await fresh();
      const manifest = await writeImage(repository, 'lie');

      const writing = repository.writeManifest({ ...manifest, digest: ABSENT }, parseTag('lie'));

      await expect(writing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(await repository.findManifest(parseTag('lie'))).toBeUndefined();
    });

    if (options.canMount) {
      it('mounts a blob of another repository', async () => {
        const source = await fresh();
        const target = await fresh();
        const blob = await writeBlob(source, Buffer.from('to be mounted'));

        const isMounted = await target.mountBlob(blob, source);

        expect(isMounted).toBe(true);
        expect((await readAll(target.readBlob(blob))).toString()).toBe('to be mounted');
      });
    }

    it('does not mount what the other repository does not have', async () => {
      const source = await fresh();
      const target = await fresh();
      const blob = descriptorOf(Buffer.from('in neither'));

      const isMounted = await target.mountBlob(blob, source);

      expect(isMounted).toBe(false);
      expect(await target.hasBlob(blob)).toBe(false);
    });

    it('takes a blob that could not be mounted', async () => {
      const source = await fresh();
      const target = await fresh();
      const blob = descriptorOf(Buffer.from('sent after all'));

      await target.mountBlob(blob, source);
      await target.writeBlob(blob, () => [Buffer.from('sent after all')]);

      expect((await readAll(target.readBlob(blob))).toString()).toBe('sent after all');
    });

    if (options.checksBlobs) {
      it('refuses a manifest without its blobs, and names them', async () => {
        const repository = await fresh();
        const missing = descriptorOf(Buffer.from(`missing ${name}`));
        const image = imageOf(missing, [missing]);

        const writing = repository.writeManifest(image, parseTag('broken'));

        await expect(writing).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', blobs: [missing.digest] });
        expect(await repository.findManifest(parseTag('broken'))).toBeUndefined();
      });
    }

    it('shows what one wrote to another who opens it', async () => {
      const writer = await fresh();
      const manifest = await writeImage(writer, 'shared');
      await writer.writeManifest(manifest, parseTag('shared'));

      const reader = await subject.images.open(writer.reference, 'read');

      expect((await reader.getManifest(parseTag('shared'))).digest).toBe(manifest.digest);
    });

    it('keeps all of the tags that are written at once', async () => {
      const repository = await fresh();
      const images = await Promise.all(
        Array.from({ length: 8 }, (_, at) => writeImage(repository, `image ${at}`)),
      );

      await Promise.all(images.map((image, at) => repository.writeManifest(image, parseTag(`t${at}`))));

      expect(await repository.listTags(100)).toHaveLength(8);
    });
  });
}

export function descriptorOf(bytes: Uint8Array, mediaType: string = MEDIA_TYPES.oci.layer): Descriptor {
  return { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
}

export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function writeBlob(
  repository: Repository,
  bytes: Uint8Array,
  mediaType?: string,
): Promise<Descriptor> {
  const blob = descriptorOf(bytes, mediaType);
  await repository.writeBlob(blob, () => [bytes]);
  return blob;
}

/** Writes config and layer of a small image and returns its manifest, which is not written. */
export async function writeImage(repository: Repository, content: string): Promise<RawManifest> {
  const layer = await writeBlob(repository, Buffer.from(content));
  const configJson = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const config = await writeBlob(repository, Buffer.from(JSON.stringify(configJson)), MEDIA_TYPES.oci.config);
  return imageOf(config, [layer]);
}

function imageOf(config: Descriptor, layers: readonly Descriptor[]): RawManifest {
  return rawManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.oci.manifest,
      config: jsonOf({ ...config, mediaType: MEDIA_TYPES.oci.config }),
      layers: layers.map(jsonOf),
    },
    MEDIA_TYPES.oci.manifest,
  );
}

function indexOf(child: RawManifest, mediaType: string): RawManifest {
  const entry: { digest: Digest; mediaType: string; size: number; platform: Record<string, string> } = {
    digest: child.digest,
    mediaType: child.mediaType,
    size: child.bytes.length,
    platform: { architecture: 'amd64', os: 'linux' },
  };
  return rawManifest({ schemaVersion: 2, mediaType, manifests: [entry] }, mediaType);
}

function jsonOf({ mediaType, digest, sizeBytes }: Descriptor): Record<string, unknown> {
  return { mediaType, digest, size: sizeBytes };
}

/** With its bytes as one kind of array, so that two manifests can be compared. */
function plain({ digest, mediaType, bytes }: RawManifest): RawManifest {
  return { digest, mediaType, bytes: Buffer.from(bytes) };
}
