import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/media-type.ts';
import { parseTag } from '../../../src/oci/tag.ts';
import { overHttp } from '../../support/over-http.ts';

const V1 = parseTag('v1');

describe('getManifest()', () => {
  it('accepts all four kinds, so that nothing is converted', async () => {
    const { registry, open } = await overHttp();
    registry.putManifest('a/b', { schemaVersion: 2, layers: [] }, 'v1');

    await (await open('a/b')).getManifest(V1);

    const accepted = registry.requests.at(-1)?.headers.accept?.split(', ') ?? [];
    expect(accepted.sort()).toEqual(
      [
        MEDIA_TYPES.docker.index,
        MEDIA_TYPES.docker.manifest,
        MEDIA_TYPES.oci.index,
        MEDIA_TYPES.oci.manifest,
      ].sort(),
    );
  });

  it.each([
    ['with parameters', `${MEDIA_TYPES.docker.manifest}; charset=utf-8`, {}, MEDIA_TYPES.docker.manifest],
    ['missing, of an index', undefined, { manifests: [] }, MEDIA_TYPES.oci.index],
    ['missing, of an image', undefined, { layers: [] }, MEDIA_TYPES.oci.manifest],
    [
      'that says nothing, of a Docker image',
      'application/json',
      { config: { mediaType: MEDIA_TYPES.docker.config } },
      MEDIA_TYPES.docker.manifest,
    ],
    [
      'that is wrong',
      MEDIA_TYPES.oci.manifest,
      { mediaType: MEDIA_TYPES.docker.manifest },
      MEDIA_TYPES.docker.manifest,
    ],
  ])('reads a manifest with a type %s', async (_, contentType, json, expected) => {
    const { registry, open } = await overHttp();
    const body = JSON.stringify({ schemaVersion: 2, ...json });
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 200, body, headers } });

    const manifest = await (await open('a/b')).getManifest(V1);

    expect(manifest.mediaType).toBe(expected);
    expect(manifest.digest).toBe(digestOf(Buffer.from(body)));
  });

  it.each([
    ['its type', '{"schemaVersion":2}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    ['its content', '{"schemaVersion":1,"fsLayers":[]}', MEDIA_TYPES.docker.manifest],
  ])('refuses Docker schema 1, told by %s', async (_, body, type) => {
    const { registry, open } = await overHttp();
    const headers = { 'content-type': type };
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 200, body, headers } });

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('does not trust a manifest that is not what its digest says', async () => {
    const { registry, open } = await overHttp();
    const { digest } = registry.putManifest('a/b', { schemaVersion: 2, layers: [] });
    registry.fail({ path: /manifests/, action: { kind: 'corrupt' } });

    const reading = (await open('a/b')).getManifest(digest);

    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it.each([
    ['announced', {}],
    ['sent without being announced', { 'transfer-encoding': 'chunked' }],
  ])('does not read a manifest of 100 MB that is %s', async (_, headers) => {
    const { registry, open } = await overHttp();
    const body = ' '.repeat(100_000_000);
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 200, body, headers } });
    const before = process.memoryUsage().rss;

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    // The server is in this process: it holds the text and its bytes.
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 ** 2);
  });

  it('passes on what the registry says', async () => {
    const { open } = await overHttp();

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      message: expect.stringContaining('(MANIFEST_UNKNOWN: manifest unknown)') as unknown,
    });
  });

  it('is not led astray by a page instead of an answer', async () => {
    const { registry, open } = await overHttp();
    const body = '<html><h1>Please log in to the hotel WiFi</h1>';
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 511, body } });

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({
      code: 'UNEXPECTED_STATUS',
      message: expect.stringMatching(/answered 511$/) as unknown,
    });
  });
});

describe('findManifest()', () => {
  it('says undefined for a digest that the server does not name', async () => {
    const { registry, open } = await overHttp();
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 200 } });

    const found = await (await open('a/b')).findManifest(V1);

    expect(found).toEqual({ digest: undefined });
  });

  it('goes where a registry keeps its manifests', async () => {
    const { registry, open } = await overHttp();
    const { digest } = registry.putManifest('kept/here', { schemaVersion: 2, layers: [] }, 'v1');
    const to = `http://${registry.host}/v2/kept/here/manifests/v1`;
    registry.fail({ path: /a\/b\/manifests/, times: 2, action: { kind: 'redirect', status: 307, to } });

    const found = await (await open('a/b')).findManifest(V1);

    expect(found).toEqual({ digest });
  });

  it('finds nothing where a registry sends it and there is nothing', async () => {
    const { registry, open } = await overHttp();
    const to = `http://${registry.host}/v2/kept/here/manifests/v1`;
    registry.fail({ path: /a\/b\/manifests/, times: 2, action: { kind: 'redirect', status: 307, to } });

    const found = await (await open('a/b')).findManifest(V1);

    expect(found).toBeUndefined();
  });

  it('fails when it cannot know', async () => {
    const { registry, open } = await overHttp();
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 403 } });

    const finding = (await open('a/b')).findManifest(V1);

    await expect(finding).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
