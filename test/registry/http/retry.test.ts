import { describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { parseTag } from '../../../src/oci/tag.ts';
import { retryAfterMs } from '../../../src/registry/http/retry.ts';
import { makeImages } from '../../../src/registry/images.ts';
import { overHttp } from '../../support/over-http.ts';

const V1 = parseTag('v1');
const IMAGE = { schemaVersion: 2, layers: [] };

describe('a request', () => {
  it('waits as long as Retry-After asks, then is tried again', async () => {
    const { registry, open, slept, events } = await overHttp();
    registry.putManifest('a/b', IMAGE, 'v1');
    registry.fail({ path: /manifests/, times: 1, action: status(503, { 'retry-after': '2' }) });

    await (await open('a/b')).getManifest(V1);

    expect(slept).toEqual([2000]);
    expect(events).toEqual([
      {
        type: 'request-retried',
        url: `http://${registry.host}/v2/a/b/manifests/v1`,
        attempt: 1,
        why: 'the answer was 503',
        delayMs: 2000,
      },
    ]);
  });

  it('waits a minute at most, whatever the server asks for', async () => {
    const { registry, open, slept } = await overHttp();
    registry.putManifest('a/b', IMAGE, 'v1');
    registry.fail({ path: /manifests/, times: 1, action: status(429, { 'retry-after': '86400' }) });

    await (await open('a/b')).getManifest(V1);

    expect(slept).toEqual([60_000]);
  });

  it.each([408, 425, 429, 500, 502, 503, 504])('is tried again after %i', async (code) => {
    const { registry, open } = await overHttp();
    registry.putManifest('a/b', IMAGE, 'v1');
    registry.fail({ path: /manifests/, times: 2, action: status(code) });

    const found = await (await open('a/b')).findManifest(V1);

    expect(found).toBeDefined();
    expect(registry.count('HEAD', /manifests/)).toBe(3);
  });

  it('is given up after five attempts, with waits that grow', async () => {
    const { registry, open, slept } = await overHttp();
    registry.fail({ path: /manifests/, action: status(500) });

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS', status: 500 });
    expect(registry.count('GET', /manifests/)).toBe(5);
    expect(slept).toHaveLength(4);
    slept.forEach((ms, at) => {
      expect(ms).toBeGreaterThanOrEqual(250 * 2 ** at);
      expect(ms).toBeLessThanOrEqual(500 * 2 ** at);
    });
  });

  it('is not tried again after an answer that will stay', async () => {
    const { registry, open, slept } = await overHttp();
    registry.fail({ path: /manifests/, action: status(400) });

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS', status: 400 });
    expect(slept).toEqual([]);
  });

  it('is tried again when the connection breaks', async () => {
    const { registry, open } = await overHttp();
    const { digest } = registry.putManifest('a/b', IMAGE, 'v1');
    registry.fail({ path: /manifests/, times: 2, action: { kind: 'reset', afterBytes: 0 } });

    const manifest = await (await open('a/b')).getManifest(V1);

    expect(manifest.digest).toBe(digest);
  });

  it('is tried again when a manifest breaks off', async () => {
    const { registry, open } = await overHttp();
    const { digest } = registry.putManifest('a/b', IMAGE, 'v1');
    registry.fail({ path: /manifests/, times: 1, action: { kind: 'truncate', afterBytes: 5 } });

    const manifest = await (await open('a/b')).getManifest(V1);

    expect(manifest.digest).toBe(digest);
  });

  it('says that nobody is there, and keeps the cause', async () => {
    const { registry, open } = await overHttp();
    const repository = await open('a/b');
    await registry.close();

    const reading = repository.getManifest(V1);

    await expect(reading).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `Cannot read manifest v1 of ${registry.host}/a/b: the connection was refused (ECONNREFUSED)`,
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('is not sent in plain HTTP unless the user said so', async () => {
    const { registry } = await overHttp();
    registry.putManifest('a/b', IMAGE, 'v1');
    const strict = makeImages({ env: { HOME: '/nonexistent' } });
    const repository = await strict.open(parseReference(`${registry.host}/a/b`), 'read');

    const reading = repository.getManifest(V1);

    await expect(reading).rejects.toMatchObject({
      code: 'UNREACHABLE',
      hint: expect.stringContaining(`--insecure-registry ${registry.host}`) as unknown,
    });
    expect(registry.requests).toEqual([]);
  });

  it('ends at once when the work is cancelled', async () => {
    const controller = new AbortController();
    const { registry, open } = await overHttp({ client: { signal: controller.signal } });
    registry.fail({ path: /manifests/, action: { kind: 'delay', ms: 5000 } });
    setTimeout(() => {
      controller.abort();
    }, 50);

    const reading = (await open('a/b')).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('retryAfterMs()', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    ['3', 3000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
    ['Thu, 01 Jan 2015 00:00:05 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['-1', undefined],
    [undefined, undefined],
  ])('reads %j', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});

function status(code: number, headers: Record<string, string> = {}) {
  return { kind: 'status', status: code, headers } as const;
}
