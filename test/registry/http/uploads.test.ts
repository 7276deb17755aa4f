import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseTag } from '../../../src/oci/tag.ts';
import { descriptorOf, writeBlob, writeImage } from '../../contract/registry.ts';
import { overHttp } from '../../support/over-http.ts';

const UPLOAD = /\/blobs\/uploads\//;

describe('writeBlob()', () => {
  it('sends a blob in one piece, and keeps the query of the session', async () => {
    const { registry, open } = await overHttp();

    const blob = await writeBlob(await open('a/b'), randomBytes(100_000));

    expect(registry.requests.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT']);
    const url = new URL(registry.requests.at(-1)?.url ?? '', 'http://x');
    expect(url.searchParams.get('_state')).toBe('secret-state');
    expect(url.searchParams.get('digest')).toBe(blob.digest);
    expect(registry.requests.at(-1)?.headers['content-length']).toBe('100000');
  });

  it('sends a large blob in chunks', async () => {
    const { registry, open } = await overHttp({ client: { chunkBytes: 40_000 } });
    const bytes = randomBytes(100_000);

    const blob = await writeBlob(await open('a/b'), bytes);

    expect(registry.repository('a/b').blobs.get(blob.digest)?.equals(bytes)).toBe(true);
    const patches = registry.requests.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ headers }) => headers['content-range'])).toEqual([
      '0-39999',
      '40000-79999',
      '80000-99999',
    ]);
  });

  it('sends chunks of the size that the registry wants', async () => {
    const { registry, open } = await overHttp({ client: { chunkBytes: 10_000 } });
    registry.minChunkBytes = 60_000;

    await writeBlob(await open('a/b'), randomBytes(100_000));

    const patches = registry.requests.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ headers }) => headers['content-length'])).toEqual(['60000', '40000']);
  });

  it('sends chunks where a proxy refuses long requests', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(17 * 1024 ** 2);
    registry.fail({ method: 'PUT', path: UPLOAD, times: 1, action: { kind: 'status', status: 413 } });

    const blob = await writeBlob(await open('a/b'), bytes);

    expect(registry.repository('a/b').blobs.get(blob.digest)?.equals(bytes)).toBe(true);
    expect(registry.count('PATCH', UPLOAD)).toBe(2);
    expect(registry.openUploads).toBe(0);
  });

  it.each([
    ['the connection breaks in the middle', { kind: 'reset', afterBytes: 50_000 }],
    ['the registry fails', { kind: 'status', status: 503 }],
    ['the registry forgot the session', { kind: 'status', status: 404 }],
  ] as const)('starts again when %s', async (_, action) => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(2_000_000);
    registry.fail({ method: 'PUT', path: UPLOAD, times: 2, action });
    let opened = 0;

    await (
      await open('a/b')
    ).writeBlob(descriptorOf(bytes), () => {
      opened++;
      return [bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)];
    });

    expect(opened).toBe(3);
    expect(registry.repository('a/b').blobs.get(descriptorOf(bytes).digest)?.equals(bytes)).toBe(true);
  });

  it('does not send again what arrived while the answer was lost', async () => {
    const { registry, open } = await overHttp();
    registry.fail({ method: 'PUT', path: UPLOAD, times: 1, action: { kind: 'lose-answer' } });

    await writeBlob(await open('a/b'), Buffer.from('arrived'));

    expect(registry.count('PUT', UPLOAD)).toBe(1);
    expect(registry.count('POST', UPLOAD)).toBe(1);
  });

  it('leaves no session behind when the content cannot be read', async () => {
    const { registry, open } = await overHttp();

    const writing = (await open('a/b')).writeBlob(descriptorOf(Buffer.from('x')), async function* () {
      yield Buffer.alloc(0);
      throw new Error('gone');
    });

    await expect(writing).rejects.toThrow('gone');
    expect(registry.openUploads).toBe(0);
  });

  it('says what the registry said, without the query of a URL', async () => {
    const { registry, open } = await overHttp();
    const body = JSON.stringify({
      errors: [
        { code: 'DENIED', message: 'quota reached, see https://x.example/up?token=topsecret\u001b[31m' },
      ],
    });
    registry.fail({ method: 'POST', action: { kind: 'status', status: 400, body } });

    const writing = writeBlob(await open('a/b'), Buffer.from('x'));

    await expect(writing).rejects.toMatchObject({
      code: 'UNEXPECTED_STATUS',
      message: expect.stringMatching(/answered 400 \(DENIED: quota reached[^?\u001b]*\)$/) as unknown,
    });
  });

  it('stops sending when the work is cancelled', async () => {
    const controller = new AbortController();
    const { open } = await overHttp({ client: { signal: controller.signal } });
    const bytes = randomBytes(3_000_000);

    const writing = (await open('a/b')).writeBlob(descriptorOf(bytes), async function* () {
      yield bytes.subarray(0, 1_000_000);
      controller.abort();
      yield bytes.subarray(1_000_000);
    });

    await expect(writing).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('mountBlob()', () => {
  it('uses the session that the registry opened instead', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/base', Buffer.from('not for you'));
    registry.fail({ method: 'POST', path: UPLOAD, action: { kind: 'refuse-mount' } });
    const [source, target] = [await open('a/base', 'read'), await open('a/new')];

    const isMounted = await target.mountBlob(blob, source);
    await target.writeBlob(blob, () => source.readBlob(blob));

    expect(isMounted).toBe(false);
    expect(registry.count('POST', UPLOAD)).toBe(1);
    expect(registry.openUploads).toBe(0);
    expect(registry.repository('a/new').blobs.has(blob.digest)).toBe(true);
  });

  it('gives up a session that nobody used', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/base', Buffer.from('not for you'));
    registry.fail({ method: 'POST', path: /mount=/, action: { kind: 'refuse-mount' } });
    const target = await open('a/new');

    await target.mountBlob(blob, await open('a/base', 'read'));
    await target.writeManifest(await writeImage(target, 'other'), parseTag('v1'));

    expect(registry.openUploads).toBe(0);
  });

  it.each([400, 401, 403, 404, 500])('is not possible when the registry answers %i', async (status) => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/base', Buffer.from('x'));
    registry.fail({ method: 'POST', path: /mount=/, action: { kind: 'status', status } });

    const isMounted = await (await open('a/new')).mountBlob(blob, await open('a/base', 'read'));

    expect(isMounted).toBe(false);
  });

  it('is not possible between registries', async () => {
    const [one, other] = [await overHttp(), await overHttp()];
    const blob = one.registry.putBlob('a/base', Buffer.from('x'));

    const isMounted = await (await other.open('a/new')).mountBlob(blob, await one.open('a/base', 'read'));

    expect(isMounted).toBe(false);
    expect(other.registry.requests).toEqual([]);
  });

  it('needs no request that moves it when source and target are the same', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/base', Buffer.from('x'));

    const isMounted = await (await open('a/base')).mountBlob(blob, await open('a/base', 'read'));

    expect(isMounted).toBe(true);
    expect(registry.count('POST', UPLOAD)).toBe(0);
  });
});

describe('writeManifest()', () => {
  it('uploads a blob again that the registry only claimed to have', async () => {
    const { registry, open } = await overHttp();
    const repository = await open('a/b');
    const manifest = await writeImage(repository, 'a layer');
    const { blobs } = registry.repository('a/b');
    const [[digest, bytes] = ['', Buffer.alloc(0)]] = blobs;
    blobs.delete(digest);

    const first = repository.writeManifest(manifest, parseTag('v1'));
    await expect(first).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', blobs: [digest] });
    // A cache before the registry still says that the blob is there.
    registry.fail({ method: 'HEAD', path: /blobs/, action: { kind: 'status', status: 200 } });
    await writeBlob(repository, bytes);
    await repository.writeManifest(manifest, parseTag('v1'));

    expect(registry.repository('a/b').tags.get('v1')).toBe(manifest.digest);
  });

  it('is written once more when the answer was lost', async () => {
    const { registry, open } = await overHttp();
    const repository = await open('a/b');
    const manifest = await writeImage(repository, 'a layer');
    registry.fail({ method: 'PUT', path: /manifests/, times: 1, action: { kind: 'lose-answer' } });

    await repository.writeManifest(manifest, parseTag('v1'));

    expect(registry.count('PUT', /manifests/)).toBe(2);
    expect(registry.repository('a/b').tags.get('v1')).toBe(manifest.digest);
  });

  it('does not believe that a tag was written when it points elsewhere', async () => {
    const { registry, open } = await overHttp();
    const repository = await open('a/b');
    const manifest = await writeImage(repository, 'a layer');
    const headers = { 'docker-content-digest': `sha256:${'1'.repeat(64)}` };
    registry.fail({ method: 'HEAD', path: /manifests/, action: { kind: 'status', status: 200, headers } });

    const writing = repository.writeManifest(manifest, parseTag('v1'));

    await expect(writing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('reads the tag when the registry does not say what it points at', async () => {
    const { registry, open } = await overHttp();
    const repository = await open('a/b');
    const manifest = await writeImage(repository, 'a layer');
    registry.fail({ method: 'HEAD', path: /manifests/, action: { kind: 'status', status: 200 } });

    await repository.writeManifest(manifest, parseTag('v1'));

    expect(registry.count('GET', /manifests\/v1/)).toBe(1);
  });
});
