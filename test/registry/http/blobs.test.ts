import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { descriptorOf, readAll } from '../../contract/registry.ts';
import { overHttp } from '../../support/over-http.ts';
import { TestRegistry } from '../../support/test-registry.ts';

const BLOB_PATH = /\/blobs\/sha256/;

describe('readBlob()', () => {
  it('goes on where a connection broke, as often as it takes', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(400_000);
    const blob = registry.putBlob('a/b', bytes);
    registry.fail({ path: BLOB_PATH, times: 3, action: { kind: 'truncate', afterBytes: 100_000 } });

    const read = await readAll((await open('a/b')).readBlob(blob));

    expect(read.equals(bytes)).toBe(true);
    const ranges = registry.requests
      .filter(({ url }) => BLOB_PATH.test(url))
      .map(({ headers }) => headers.range);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=200000-', 'bytes=300000-']);
  });

  it('skips what it has when the server starts over', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(400_000);
    const blob = registry.putBlob('a/b', bytes);
    registry.fail({ path: BLOB_PATH, times: 1, action: { kind: 'truncate', afterBytes: 100_001 } });
    registry.fail({ path: BLOB_PATH, times: 1, action: { kind: 'ignore-range' } });

    const read = await readAll((await open('a/b')).readBlob(blob));

    expect(read.equals(bytes)).toBe(true);
  });

  it('refuses another part than it asked for', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(1000));
    registry.fail({ path: BLOB_PATH, times: 1, action: { kind: 'truncate', afterBytes: 100 } });
    registry.fail({ path: BLOB_PATH, times: 1, action: { kind: 'wrong-range' } });

    const reading = readAll((await open('a/b')).readBlob(blob));

    await expect(reading).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS', status: 206 });
  });

  it('gives up on a connection that always breaks', async () => {
    const { registry, open, events } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(1000));
    registry.fail({ path: BLOB_PATH, action: { kind: 'truncate', afterBytes: 0 } });

    const reading = readAll((await open('a/b')).readBlob(blob));

    await expect(reading).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(events).toHaveLength(4);
  });

  it('never hands out the whole of a blob that is not what its digest says', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(300_000);
    const blob = registry.putBlob('a/b', bytes);
    registry.fail({ path: BLOB_PATH, action: { kind: 'corrupt' } });
    let seen = 0;

    const reading = (async () => {
      for await (const chunk of (await open('a/b')).readBlob(blob)) seen += chunk.length;
    })();

    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(seen).toBeLessThan(bytes.length);
  });

  it.each([
    ['shorter', 10],
    ['longer', -10],
  ])('refuses a blob that is %s than announced', async (_, difference) => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(1000));

    const reading = readAll((await open('a/b')).readBlob({ ...blob, sizeBytes: 1000 + difference }));

    await expect(reading).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  it('reads a blob whose length is not announced', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(100_000));
    registry.fail({ path: BLOB_PATH, action: { kind: 'no-length' } });

    const read = await readAll((await open('a/b')).readBlob(blob));

    expect(read).toHaveLength(100_000);
  });

  it('refuses a blob of unannounced length that does not end', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(100_000);
    const blob = registry.putBlob('a/b', bytes);
    registry.fail({ path: BLOB_PATH, action: { kind: 'no-length' } });

    const reading = readAll((await open('a/b')).readBlob({ ...blob, sizeBytes: 50_000 }));

    await expect(reading).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  it('asks for the first bytes only, and stops at them when the server sends all', async () => {
    const { registry, open } = await overHttp();
    const bytes = randomBytes(5_000_000);
    const blob = registry.putBlob('a/b', bytes);
    registry.fail({ path: BLOB_PATH, times: 1, action: { kind: 'ignore-range' } });
    const repository = await open('a/b');

    const first = await readAll(repository.readBlob(blob, { firstBytes: 70_000 }));
    const second = await readAll(repository.readBlob(blob, { firstBytes: 70_000 }));

    expect(first.equals(bytes.subarray(0, 70_000))).toBe(true);
    expect(second.equals(first)).toBe(true);
    expect(registry.requests.at(-1)?.headers.range).toBe('bytes=0-69999');
  });

  it('asks nobody for no bytes', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(10));

    const read = await readAll((await open('a/b')).readBlob(blob, { firstBytes: 0 }));

    expect(read).toHaveLength(0);
    expect(registry.count('GET', BLOB_PATH)).toBe(0);
  });

  it('checks a blob that is not longer than the first bytes that were asked for', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(10));
    registry.fail({ path: BLOB_PATH, action: { kind: 'corrupt' } });

    const reading = readAll((await open('a/b')).readBlob(blob, { firstBytes: 100 }));

    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('asks that nothing on the way packs the bytes', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(10));

    await readAll((await open('a/b')).readBlob(blob));

    expect(registry.requests.at(-1)?.headers['accept-encoding']).toBe('identity');
  });

  it('closes the connection when the reader stops early', async () => {
    let isCutOff: () => void = () => undefined;
    const cutOff = new Promise<void>((resolve) => (isCutOff = resolve));
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 1024 ** 3 });
      response.on('close', () => {
        isCutOff();
      });
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
    });
    const address = server.address();
    const host = `127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    const { images } = await overHttp({ client: { insecureRegistries: [host] } });
    const repository = await images.open(parseReference(`${host}/a/b`), 'read');
    const huge = { ...descriptorOf(Buffer.alloc(1)), sizeBytes: 1024 ** 3 };

    for await (const chunk of repository.readBlob(huge)) {
      if (chunk.length > 0) break;
    }

    await expect(cutOff).resolves.toBeUndefined();
  });

  it.each([302, 307, 308] as const)(
    'follows %i to another origin, which gets the range and no credential',
    async (status) => {
      const storage = await new TestRegistry().listen();
      onTestFinished(() => storage.close());
      const bytes = randomBytes(5000);
      storage.putBlob('store', bytes);
      const { registry, open } = await overHttp({
        auth: { kind: 'basic', user: 'u', password: 'p' },
        credential: 'u:p',
      });
      const blob = registry.putBlob('a/b', bytes);
      const to = `http://${storage.host}/v2/store/blobs/${blob.digest}?X-Amz-Signature=topsecret`;
      registry.fail({ method: 'GET', path: BLOB_PATH, action: { kind: 'redirect', status, to } });
      storage.fail({ path: BLOB_PATH, times: 1, action: { kind: 'truncate', afterBytes: 1000 } });

      const repository = await open('a/b', 'read');
      await repository.hasBlob(blob);
      const read = await readAll(repository.readBlob(blob));

      expect(read.equals(bytes)).toBe(true);
      expect(registry.requests.at(-1)?.headers.authorization).toMatch(/^Basic /);
      expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
      expect(storage.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=1000-']);
      expect(registry.count('GET', BLOB_PATH)).toBe(2);
    },
  );

  it('does not follow a redirect for ever', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(10));
    const to = `/v2/a/b/blobs/${blob.digest}?signature=topsecret`;
    registry.fail({ path: BLOB_PATH, action: { kind: 'redirect', status: 307, to } });

    const reading = readAll((await open('a/b')).readBlob(blob));

    await expect(reading).rejects.toMatchObject({
      code: 'UNEXPECTED_STATUS',
      message: expect.not.stringContaining('topsecret') as unknown,
    });
  });

  it('does not follow a redirect to something that is not on the web', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(10));
    registry.fail({ path: BLOB_PATH, action: { kind: 'redirect', status: 307, to: 'file:///etc/passwd' } });

    const reading = readAll((await open('a/b')).readBlob(blob));

    await expect(reading).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS' });
  });

  it('stops when the reader is cancelled', async () => {
    const { registry, open } = await overHttp();
    const blob = registry.putBlob('a/b', randomBytes(3_000_000));
    const controller = new AbortController();
    const repository = await open('a/b');

    const reading = (async () => {
      for await (const chunk of repository.readBlob(blob, { signal: controller.signal })) {
        if (chunk.length > 0) controller.abort();
      }
    })();

    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('reads eight blobs at once while it writes them elsewhere in the registry', async () => {
    const { registry, open } = await overHttp();
    const [source, target] = [await open('a/source'), await open('a/target')];
    const blobs = Array.from({ length: 24 }, () => registry.putBlob('a/source', randomBytes(300_000)));

    await Promise.all(blobs.map((blob) => target.writeBlob(blob, () => source.readBlob(blob))));

    expect(registry.repository('a/target').blobs.size).toBe(24);
  });
});
