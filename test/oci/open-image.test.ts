import { describe, expect, it } from 'vitest';
import { openImage, readSmallBlob } from '../../src/oci/open-image.ts';
import { rawManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { MemoryImages } from '../support/memory-images.ts';
import { addImage, addIndex } from '../support/synthetic-image.ts';

const NAME = parseReference('registry.example.com/acme/os');

function setUp() {
  const images = new MemoryImages();
  return { images, repository: images.at(NAME) };
}

describe('openImage()', () => {
  it('reads manifest and config of an image by tag, and nothing else', async () => {
    const { images, repository } = setUp();
    const digest = await addImage(repository, {
      layers: [[{ path: 'usr/a', content: 'a' }]],
      labels: { version: '1' },
    });
    repository.tag('v1', digest);

    const image = await openImage(repository, parseTag('v1'), 'x86_64');

    expect(image.manifest.digest).toBe(digest);
    expect(image.config.labels).toEqual({ version: '1' });
    expect(image.index).toBeUndefined();
    expect(images.served.map(({ call }) => call)).toEqual(['getManifest', 'readBlob']);
  });

  it.each(['oci', 'docker'] as const)(
    'chooses the architecture in an index of the %s family',
    async (family) => {
      const { images, repository } = setUp();
      const intel = await addImage(repository, { layers: [[]], arch: 'x86_64', family });
      const arm = await addImage(repository, { layers: [[]], arch: 'aarch64', family });
      const index = await addIndex(
        repository,
        [
          { arch: 'x86_64', digest: intel },
          { arch: 'aarch64', digest: arm },
        ],
        family,
      );

      const image = await openImage(repository, index, 'aarch64');

      expect(image.manifest.digest).toBe(arm);
      expect(image.index?.digest).toBe(index);
      expect(images.served).toHaveLength(3);
    },
  );

  it('reads a manifest that does not name its media type', async () => {
    const { repository } = setUp();
    const digest = await addImage(repository, { layers: [[]], hasNoMediaType: true });

    const image = await openImage(repository, digest, 'x86_64');

    expect(image.manifest.kind).toBe('image');
  });

  it('takes the only image of an index when no architecture is asked for', async () => {
    const { repository } = setUp();
    const digest = await addImage(repository, { layers: [[]] });
    const index = await addIndex(repository, [{ arch: 'x86_64', digest }]);

    const image = await openImage(repository, index, undefined);

    expect(image.manifest.digest).toBe(digest);
  });

  it('asks which image of an index is meant when it holds two', async () => {
    const { repository } = setUp();
    const intel = await addImage(repository, { layers: [[]], arch: 'x86_64' });
    const arm = await addImage(repository, { layers: [[]], arch: 'aarch64' });
    const index = await addIndex(repository, [
      { arch: 'x86_64', digest: intel },
      { arch: 'aarch64', digest: arm },
    ]);

    const opening = openImage(repository, index, undefined);

    await expect(opening).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      hint: expect.stringContaining('amd64, arm64') as string,
    });
  });

  it('refuses an image of another architecture', async () => {
    const { repository } = setUp();
    const digest = await addImage(repository, { layers: [[]], arch: 'x86_64' });

    const opening = openImage(repository, digest, 'aarch64');

    await expect(opening).rejects.toMatchObject({
      code: 'PLATFORM_MISSING',
      message: expect.stringContaining('it is an image for x86_64') as string,
    });
  });

  it('refuses an index in an index', async () => {
    const { repository } = setUp();
    const image = await addImage(repository, { layers: [[]] });
    const inner = await addIndex(repository, [{ arch: 'x86_64', digest: image }]);
    const outer = await addIndex(repository, [{ arch: 'x86_64', digest: inner }]);

    const opening = openImage(repository, outer, 'x86_64');

    await expect(opening).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });

  it('refuses a config of a gigabyte before asking for it', async () => {
    const { images, repository } = setUp();
    const config = { ...repository.addBlob(Buffer.from('{}'), MEDIA_TYPES.oci.config), size: 1024 ** 3 };
    const manifest = rawManifest({ schemaVersion: 2, config, layers: [] }, MEDIA_TYPES.oci.manifest);
    await repository.writeManifest(manifest);

    const opening = openImage(repository, manifest.digest, undefined);

    await expect(opening).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(images.served.map(({ call }) => call)).toEqual(['getManifest']);
  });
});

describe('readSmallBlob()', () => {
  it('joins the pieces of a blob', async () => {
    const { repository } = setUp();
    const content = Buffer.alloc(100_000, 7);
    const blob = repository.addBlob(content, 'application/octet-stream');

    const bytes = await readSmallBlob(repository, blob, 100_000);

    expect(bytes.equals(content)).toBe(true);
  });
});
