import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../src/oci/open-image.ts';
import { readPayload } from '../../src/resolve/read-payload.ts';
import { addImage, type Entry, noise } from '../support/synthetic-image.ts';
import { payloadEntries, setUpResolve } from '../support/synthetic-release.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/releases');
const REAL: readonly Entry[] = [
  { path: 'release-manifests', directory: true },
  {
    path: 'release-manifests/image-references',
    content: readFileSync(join(FIXTURES, 'image-references-4.12.0-x86_64.json')),
  },
  {
    path: 'release-manifests/release-metadata',
    content: readFileSync(join(FIXTURES, 'release-metadata-4.12.0-x86_64.json')),
  },
];
/** As much as the manifests of a large payload. */
const MANIFESTS: Entry = { path: 'release-manifests/0000_50_crds.yaml', content: noise(2 * 1024 ** 2) };

async function read(layers: readonly (readonly Entry[])[]) {
  const { images, releases, io } = setUpResolve();
  const image = await openImage(releases, await addImage(releases, { layers }), 'x86_64');
  images.served.length = 0;
  const payload = await readPayload(image, io);
  const layersRead = images.served.map(({ what }) =>
    image.manifest.layers.findIndex(({ digest }) => digest === what),
  );
  return { payload, layersRead, bytes: images.served.map(({ bytes }) => bytes) };
}

describe('readPayload()', () => {
  it('asks for the first bytes of a large last layer alone', async () => {
    const { payload, layersRead, bytes } = await read([[], [...REAL, MANIFESTS]]);

    expect(payload.version).toBe('4.12.0');
    expect(layersRead).toEqual([1]);
    expect(bytes[0]).toBeLessThanOrEqual(256 * 1024);
  });

  it('reads a small last layer to its end, which checks it', async () => {
    const { payload, layersRead } = await read([[], REAL]);

    expect(payload.components.size).toBe(183);
    expect(layersRead).toEqual([1]);
  });

  it('reads the whole layer when the files are not at its start', async () => {
    const { payload, layersRead } = await read([[MANIFESTS, ...REAL]]);

    expect(payload.version).toBe('4.12.0');
    expect(layersRead).toEqual([0, 0]);
  });

  it('walks downwards when a release was built by hand', async () => {
    const { payload, layersRead } = await read([
      [{ path: 'usr/bin/a', content: 'a' }],
      payloadEntries('4.18.4', [], { prefix: './' }),
      [{ path: 'usr/bin/b', content: 'b' }],
      [],
    ]);

    expect(payload.version).toBe('4.18.4');
    expect(layersRead).toEqual([3, 2, 1]);
  });

  it('takes each file from the highest layer that has it', async () => {
    const [directory, imageReferences, metadata] = payloadEntries('4.18.5', []);

    const { payload } = await read([
      payloadEntries('4.18.4', []),
      [directory!, imageReferences!],
      [metadata!],
    ]);

    expect(payload.version).toBe('4.18.5');
  });

  it('says which file is missing', async () => {
    const reading = read([[REAL[1]!]]);

    await expect(reading).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('it has no release-manifests/release-metadata') as string,
    });
  });

  it('refuses a layer that is no tar', async () => {
    const { releases, io } = setUpResolve();
    const image = await openImage(releases, await addImage(releases, { layers: [REAL] }), 'x86_64');
    const layer = releases.addBlob(noise(5000), 'application/vnd.oci.image.layer.v1.tar');
    const broken = { ...image, manifest: { ...image.manifest, layers: [layer] } };

    const reading = readPayload(broken, io);

    await expect(reading).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });
});
