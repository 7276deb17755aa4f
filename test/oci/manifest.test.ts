import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { descriptorJson, parseDescriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { choosePlatform, parseManifest, type RawManifest, rawManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';

const DIGEST = digestOf(Buffer.from('content'));
const BLOB = { mediaType: 'application/octet-stream', digest: DIGEST, size: 7 };

function raw(json: unknown, mediaType = ''): RawManifest {
  const bytes = Buffer.from(JSON.stringify(json));
  return { digest: digestOf(bytes), mediaType, bytes };
}

function parseIndex(manifests: readonly object[]) {
  const index = parseManifest(raw({ schemaVersion: 2, manifests }));
  if (index.kind !== 'index') throw new Error('not an index');
  return index;
}

describe('parseManifest()', () => {
  it('reads a chunked OS image as it was served', () => {
    const bytes = readFileSync('fixtures/images/chunked-manifest.json');

    const manifest = parseManifest({ digest: digestOf(bytes), mediaType: '', bytes });

    expect(manifest).toMatchObject({ kind: 'image', family: 'oci', config: { sizeBytes: 9301 } });
    if (manifest.kind !== 'image') return;
    expect(manifest.layers).toHaveLength(51);
    expect(manifest.layers[1]).toEqual({
      mediaType: MEDIA_TYPES.oci.layerGzip,
      digest: 'sha256:777cb841d2803f775a36fba62bcbfe84b2a1e0abc27cf995961b63c3d218a410',
      sizeBytes: 48_676_116,
    });
  });

  it.each([
    [MEDIA_TYPES.docker.manifest, '', 'docker'],
    [MEDIA_TYPES.oci.manifest, '', 'oci'],
    [undefined, `${MEDIA_TYPES.docker.manifest}; charset=utf-8`, 'docker'],
    [undefined, 'application/json', 'oci'],
    [MEDIA_TYPES.oci.manifest, MEDIA_TYPES.docker.manifest, 'oci'],
  ])('tells the family: body %s, header %s', (mediaType, header, family) => {
    const manifest = parseManifest(
      raw({ schemaVersion: 2, mediaType, config: BLOB, layers: [BLOB] }, header),
    );

    expect(manifest).toMatchObject({ kind: 'image', family });
  });

  it.each(['oci', 'docker'] as const)('reads an index of the %s family', (family) => {
    const platform = { architecture: 'arm64', os: 'linux', variant: 'v8' };
    const json = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES[family].index,
      manifests: [{ ...BLOB, platform }],
    };

    const index = parseManifest(raw(json));

    expect(index).toMatchObject({ kind: 'index', family, manifests: [{ digest: DIGEST, platform }] });
  });

  it('keeps annotations and every key that it does not know', () => {
    const json = {
      schemaVersion: 2,
      config: BLOB,
      layers: [],
      annotations: { a: 'b' },
      subject: BLOB,
      more: [1],
    };

    const manifest = parseManifest(raw(json));

    expect(manifest).toMatchObject({ annotations: { a: 'b' }, json });
  });

  it.each<[string, unknown]>([
    ['schema 1', { schemaVersion: 1, fsLayers: [] }],
    ['no schema version', { config: BLOB, layers: [] }],
    ['neither layers nor manifests', { schemaVersion: 2 }],
    ['both layers and manifests', { schemaVersion: 2, config: BLOB, layers: [], manifests: [] }],
    [
      'an index that has layers',
      { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, config: BLOB, layers: [] },
    ],
    [
      'an image that has manifests',
      { schemaVersion: 2, mediaType: MEDIA_TYPES.docker.manifest, manifests: [] },
    ],
    ['no config', { schemaVersion: 2, layers: [] }],
    ['a layer that is a number', { schemaVersion: 2, config: BLOB, layers: [1] }],
    ['a layer without a type', { schemaVersion: 2, config: BLOB, layers: [{ digest: DIGEST, size: 1 }] }],
    ['a layer without a digest', { schemaVersion: 2, config: BLOB, layers: [{ mediaType: 'a', size: 1 }] }],
    ['a negative size', { schemaVersion: 2, config: BLOB, layers: [{ ...BLOB, size: -1 }] }],
    ['half a byte', { schemaVersion: 2, config: BLOB, layers: [{ ...BLOB, size: 0.5 }] }],
    ['a size of a petabyte', { schemaVersion: 2, config: BLOB, layers: [{ ...BLOB, size: 1e15 }] }],
    ['a size in words', { schemaVersion: 2, config: BLOB, layers: [{ ...BLOB, size: '7' }] }],
    ['annotations that are a list', { schemaVersion: 2, config: BLOB, layers: [], annotations: [] }],
    ['an annotation that is a number', { schemaVersion: 2, config: BLOB, layers: [], annotations: { a: 1 } }],
    ['a list', []],
    ['nothing', null],
  ])('refuses %s', (_, json) => {
    expect(() => parseManifest(raw(json))).toThrow(
      expect.objectContaining({ name: 'OciError', code: 'MANIFEST_INVALID' }),
    );
  });

  it('refuses bytes that are not JSON', () => {
    expect(() => parseManifest({ digest: DIGEST, mediaType: '', bytes: Buffer.from('<html>') })).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    );
  });

  it.each([
    ['a hundred megabytes', Buffer.alloc(100 * 1024 ** 2, ' ')],
    [
      'a thousand layers and one',
      raw({ schemaVersion: 2, config: BLOB, layers: Array(1001).fill(BLOB) }).bytes,
    ],
    ['brackets without end', Buffer.from('['.repeat(10_000))],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseManifest({ digest: DIGEST, mediaType: '', bytes })).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });

  it('never throws anything but an OciError', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        2,
        BLOB,
        [BLOB],
        [],
        {},
        null,
        MEDIA_TYPES.oci.index,
        MEDIA_TYPES.docker.manifest,
      ),
      fc.jsonValue(),
    );
    const keys = ['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'annotations'];
    const manifest = fc.record(Object.fromEntries(keys.map((key) => [key, value])), { requiredKeys: [] });
    const bytes = fc.oneof(
      manifest.map((json) => Buffer.from(JSON.stringify({ schemaVersion: 2, ...json }))),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(bytes, (bytes) => {
        try {
          parseManifest({ digest: DIGEST, mediaType: '', bytes });
        } catch (error) {
          expect(error).toBeInstanceOf(OciError);
        }
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 300) },
    );
  });
});

describe('rawManifest()', () => {
  it('hashes the bytes that it holds', () => {
    const manifest = rawManifest({ schemaVersion: 2 }, MEDIA_TYPES.oci.manifest);

    expect(manifest.digest).toBe(digestOf(manifest.bytes));
    expect(manifest.mediaType).toBe(MEDIA_TYPES.oci.manifest);
  });
});

describe('choosePlatform()', () => {
  it('takes the entry for the architecture, whose system is Linux or not said', () => {
    const index = parseIndex([
      { ...BLOB, platform: { architecture: 'arm64', os: 'windows' } },
      { ...BLOB, size: 1, platform: { architecture: 'amd64', os: 'linux' } },
      { ...BLOB, size: 2, platform: { architecture: 'arm64' } },
    ]);

    expect(choosePlatform(index, 'x86_64').sizeBytes).toBe(1);
    expect(choosePlatform(index, 'aarch64').sizeBytes).toBe(2);
  });

  it('says what is there when there is none', () => {
    const index = parseIndex([
      { ...BLOB, platform: { architecture: 'amd64', os: 'linux' } },
      { ...BLOB, platform: { os: 'linux' } },
      BLOB,
    ]);

    expect(() => choosePlatform(index, 's390x')).toThrow(
      expect.objectContaining({ code: 'PLATFORM_MISSING', hint: 'It holds linux/amd64, linux/.' }),
    );
  });

  it('says that an index names no platforms', () => {
    expect(() => choosePlatform(parseIndex([BLOB]), 's390x')).toThrow(
      expect.objectContaining({ hint: 'Its entries name no platform.' }),
    );
  });
});

describe('parseDescriptor()', () => {
  it('reads what descriptorJson() writes', () => {
    const json = {
      ...BLOB,
      annotations: { 'ostree.components': 'kernel-core' },
      platform: { architecture: 'amd64', os: 'linux', variant: 'v3' },
    };

    expect(descriptorJson(parseDescriptor(json, 'layers[0]'))).toEqual(json);
  });

  it('takes null for absent', () => {
    expect(parseDescriptor({ ...BLOB, annotations: null, platform: null }, 'layers[0]')).toEqual({
      mediaType: BLOB.mediaType,
      digest: DIGEST,
      sizeBytes: 7,
    });
  });
});
