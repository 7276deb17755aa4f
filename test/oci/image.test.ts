import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ImageConfig, parseConfig } from '../../src/oci/config.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { type AppendedImage, appendLayer, type AppendOptions } from '../../src/oci/image.ts';
import { type ImageManifest, parseManifest } from '../../src/oci/manifest.ts';
import { type Family, MEDIA_TYPES } from '../../src/oci/media-type.ts';

const LAYER = {
  chunks: [Buffer.from('gz'), Buffer.from('ip')],
  sizeBytes: 4,
  digest: digestOf(Buffer.from('gzip')),
  diffId: digestOf(Buffer.from('tar')),
};
const CREATED = '2026-01-02T03:04:05Z';

interface BaseRecipe {
  readonly manifest?: object;
  readonly config?: object;
  readonly family?: Family;
}

/** A base of two layers, and whatever a test says about it. */
function makeBase({ manifest = {}, config = {}, family = 'oci' }: BaseRecipe = {}): AppendOptions['base'] {
  const types = MEDIA_TYPES[family];
  const layers = ['one', 'two'].map((text) => ({
    mediaType: types.layerGzip,
    digest: digestOf(Buffer.from(text)),
    size: text.length,
  }));
  const configBytes = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {
        Labels: { version: '1', 'ostree.final-diffid': digestOf(Buffer.from('b')) },
        Cmd: ['/sbin/init'],
      },
      rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))] },
      history: [{ created_by: 'one' }, { created_by: 'ENV a=b', empty_layer: true }, { created_by: 'two' }],
      ...config,
    }),
  );
  const json = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: digestOf(configBytes), size: configBytes.length },
    layers,
    ...manifest,
  };
  return { manifest: parseImage(json), config: parseConfig(configBytes) };
}

function parseImage(json: object): ImageManifest {
  const bytes = Buffer.from(JSON.stringify(json));
  const manifest = parseManifest({ digest: digestOf(bytes), mediaType: '', bytes });
  if (manifest.kind !== 'image') throw new Error('not an image');
  return manifest;
}

function append(base: AppendOptions['base'], more: Partial<AppendOptions> = {}) {
  const image = appendLayer({
    base,
    layer: LAYER,
    labels: { version: '1-ice', ours: 'yes' },
    layerAnnotations: { 'ostree.components': 'kmodlayer' },
    createdBy: 'kmodlayer: ice',
    created: CREATED,
    ...more,
  });
  return { image, ...read(image) };
}

function read(image: AppendedImage): { readonly manifest: ImageManifest; readonly config: ImageConfig } {
  return {
    manifest: parseImage(JSON.parse(Buffer.from(image.manifest.bytes).toString()) as object),
    config: parseConfig(image.config.bytes),
  };
}

describe('appendLayer()', () => {
  it.each(['oci', 'docker'] as const)('adds one layer of the %s family and leaves the others', (family) => {
    const base = makeBase({ family });

    const { image, manifest, config } = append(base);

    expect(image.manifest.mediaType).toBe(MEDIA_TYPES[family].manifest);
    expect(manifest.family).toBe(family);
    expect(manifest.layers.slice(0, 2)).toEqual(base.manifest.layers);
    expect(manifest.layers[2]).toMatchObject({
      mediaType: MEDIA_TYPES[family].layerGzip,
      digest: LAYER.digest,
      sizeBytes: LAYER.sizeBytes,
    });
    expect(manifest.config).toEqual(image.config.descriptor);
    expect(image.config.descriptor).toEqual({
      mediaType: MEDIA_TYPES[family].config,
      digest: digestOf(image.config.bytes),
      sizeBytes: image.config.bytes.length,
    });
    expect(config.diffIds).toEqual([...base.config.diffIds, LAYER.diffId]);
    expect(image.baseLayers).toEqual(base.manifest.layers);
    expect(image.layer.chunks).toBe(LAYER.chunks);
  });

  it('writes the image of a Docker base as OCI when asked to: same blobs, same config, other types', () => {
    const base = makeBase({ family: 'docker' });
    const foreign = { ...base.manifest.layers[0], mediaType: 'application/x-foreign', size: 1, urls: ['x'] };
    const mixed = makeBase({
      family: 'docker',
      manifest: { layers: [foreign, (base.manifest.json['layers'] as object[])[1]] },
    });

    const { image, manifest, config } = append(mixed, { family: 'oci' });

    expect(image.manifest.mediaType).toBe(MEDIA_TYPES.oci.manifest);
    expect(manifest.json['mediaType']).toBe(MEDIA_TYPES.oci.manifest);
    expect(manifest.config.mediaType).toBe(MEDIA_TYPES.oci.config);
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([
      'application/x-foreign',
      MEDIA_TYPES.oci.layerGzip,
      MEDIA_TYPES.oci.layerGzip,
    ]);
    expect(manifest.layers[2]?.annotations).toEqual({ 'ostree.components': 'kmodlayer' });
    expect(image.baseLayers).toEqual(manifest.layers.slice(0, 2));
    expect(config).toEqual(append(mixed).config);
  });

  it('names its type also where the base does not', () => {
    const { manifest } = append(makeBase({ manifest: { mediaType: undefined } }));

    expect(manifest.json['mediaType']).toBe(MEDIA_TYPES.oci.manifest);
  });

  it('annotates the layer in OCI manifests only, and only when there is something to say', () => {
    const [oci, docker, none] = [
      append(makeBase({ family: 'oci' })),
      append(makeBase({ family: 'docker' })),
      append(makeBase({ family: 'oci' }), { layerAnnotations: {} }),
    ];

    expect(oci.manifest.layers[2]?.annotations).toEqual({ 'ostree.components': 'kmodlayer' });
    expect(docker.manifest.layers[2]).not.toHaveProperty('annotations');
    expect(none.manifest.layers[2]).not.toHaveProperty('annotations');
  });

  it('keeps labels, adds ours, and keeps the keys that it does not know', () => {
    const base = makeBase({
      config: { container_config: { Image: 'x' }, docker_version: '1.13' },
      manifest: { more: { a: 1 } },
    });

    const { manifest, config } = append(base);

    expect(config.labels).toEqual({ ...base.config.labels, version: '1-ice', ours: 'yes' });
    expect(config.json).toMatchObject({
      architecture: 'amd64',
      os: 'linux',
      created: CREATED,
      container_config: { Image: 'x' },
      docker_version: '1.13',
      config: { Cmd: ['/sbin/init'] },
      rootfs: { type: 'layers' },
    });
    expect(manifest.json['more']).toEqual({ a: 1 });
  });

  it('keeps keys of the layers of the base that it does not know', () => {
    const base = makeBase();
    const layers = (base.manifest.json['layers'] as object[]).map((layer) => ({ ...layer, urls: ['x'] }));

    const { manifest } = append(makeBase({ manifest: { layers } }));

    expect((manifest.json['layers'] as object[]).slice(0, 2)).toEqual(layers);
  });

  it('adds labels to a base that has none', () => {
    const { config } = append(makeBase({ config: { config: null } }));

    expect(config.labels).toEqual({ version: '1-ice', ours: 'yes' });
  });

  it('repeats a label as annotation where the base does, and adds no annotation of its own', () => {
    const { manifest } = append(makeBase({ manifest: { annotations: { version: '1', kept: 'x' } } }));

    expect(manifest.annotations).toEqual({ version: '1-ice', kept: 'x' });
  });

  it('writes no annotations where the base has none', () => {
    const { manifest } = append(makeBase());

    expect(manifest.json).not.toHaveProperty('annotations');
  });

  it('drops the content of the old config that a descriptor may hold, and keeps its annotations', () => {
    const { config } = makeBase().manifest.json as { config: object };
    const base = makeBase({ manifest: { config: { ...config, data: 'e30=', annotations: { a: 'b' } } } });

    const { manifest } = append(base);

    expect(manifest.json['config']).not.toHaveProperty('data');
    expect(manifest.json['config']).toHaveProperty('annotations', { a: 'b' });
  });

  it('adds a step to the history, one for each layer', () => {
    const { config } = append(makeBase());

    expect(config.json['history']).toEqual([
      { created_by: 'one' },
      { created_by: 'ENV a=b', empty_layer: true },
      { created_by: 'two' },
      { created: CREATED, created_by: 'kmodlayer: ice' },
    ]);
  });

  it.each([undefined, null, [], [{ created_by: 'ENV a=b', empty_layer: true }]])(
    'gives a base whose history is %j a step for each layer',
    (history) => {
      const { config, manifest } = append(makeBase({ config: { history } }));

      const steps = config.history.filter(({ isEmpty }) => !isEmpty);
      expect(steps.map(({ createdBy }) => createdBy)).toEqual(['', '', 'kmodlayer: ice']);
      expect(steps).toHaveLength(manifest.layers.length);
      expect(config.history.length - steps.length).toBe(history?.length ?? 0);
    },
  );

  it.each([
    { rootfs: { diff_ids: [digestOf(Buffer.from('a'))] } },
    { history: [{ created_by: 'one' }] },
    { rootfs: {} },
  ])('refuses a base whose layers do not stand one to one: %j', (config) => {
    expect(() => append(makeBase({ config }))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('makes the same bytes of the same input', () => {
    expect(append(makeBase()).image).toEqual(append(makeBase()).image);
  });

  it('appends twice: the result is a base again', () => {
    const { manifest, config } = append(makeBase());

    const twice = append({ manifest, config }, { labels: { version: '2' } });

    expect(twice.manifest.layers).toHaveLength(4);
    expect(twice.config.labels).toMatchObject({ version: '2', ours: 'yes' });
  });

  it('keeps a chunked OS image of 51 layers as it was served, and adds the 52nd', () => {
    const bytes = readFileSync('fixtures/images/chunked-manifest.json');
    const served = JSON.parse(bytes.toString()) as { layers: object[] };
    const diff_ids = served.layers.map((_, at) => digestOf(Buffer.from(String(at))));
    const config = parseConfig(Buffer.from(JSON.stringify({ rootfs: { diff_ids } })));

    const { manifest } = append({ manifest: parseImage(served), config });

    expect(manifest.layers).toHaveLength(52);
    expect((manifest.json['layers'] as object[]).slice(0, 51)).toEqual(served.layers);
  });
});
