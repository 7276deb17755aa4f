import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { parseTag } from '../../../src/oci/tag.ts';
import { makeImages } from '../../../src/registry/images.ts';
import { proxyFor } from '../../../src/registry/http/proxy.ts';
import { readAll } from '../../contract/registry.ts';
import { overHttp } from '../../support/over-http.ts';

describe('proxyFor()', () => {
  const env = { HTTPS_PROXY: 'http://secure.proxy:3128', http_proxy: 'plain.proxy:8080' };
  const hostFor = (url: string, extra: Record<string, string> = {}): string | undefined =>
    proxyFor(new URL(url), { ...env, ...extra })?.url.host;

  it('chooses by the scheme, in either case of the name', () => {
    expect(hostFor('https://quay.io/')).toBe('secure.proxy:3128');
    expect(hostFor('http://quay.io/')).toBe('plain.proxy:8080');
    expect(hostFor('http://quay.io/', { HTTP_PROXY: 'first.proxy:1' })).toBe('first.proxy:1');
  });

  it('never stands between us and this machine', () => {
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', 'localhost:5000'])
      expect(hostFor(`https://${host}/`)).toBeUndefined();
  });

  it.each([
    ['quay.io', 'quay.io', true],
    ['quay.io', 'cdn.quay.io', true],
    ['quay.io', 'notquay.io', false],
    ['.quay.io', 'cdn.quay.io', true],
    ['.quay.io', 'quay.io', false],
    ['*.quay.io', 'cdn.quay.io', true],
    ['QUAY.IO', 'quay.io', true],
    ['*', 'anything.example', true],
    ['quay.io:443', 'quay.io', true],
    ['quay.io:8443', 'quay.io', false],
    ['quay.io:8443', 'quay.io:8443', true],
    ['10.0.0.0/8', '10.20.30.40', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/99', '10.0.0.1', false],
    ['10.1.1.1', '10.1.1.1', true],
    ['fd00::/8', '[fd12::1]', true],
    ['[fd12::1]:443', '[fd12::1]', true],
    ['', 'quay.io', false],
    ['other.example, , quay.io', 'quay.io', true],
  ])('with NO_PROXY %j goes straight to %s: %s', (list, host, isDirect) => {
    expect(hostFor(`https://${host}/`, { NO_PROXY: list }) === undefined).toBe(isDirect);
  });

  it('keeps the credential apart from the URL', () => {
    const proxy = proxyFor(new URL('https://quay.io/'), { HTTPS_PROXY: 'http://me:p%40ss@proxy:3128' });

    expect(proxy?.url.href).toBe('http://proxy:3128/');
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it.each(['socks5://proxy:1080', 'http://', ''])('makes nothing of %j', (value) => {
    expect(proxyFor(new URL('https://quay.io/'), { HTTPS_PROXY: value })).toBeUndefined();
  });
});

describe('a registry behind a proxy', () => {
  it('is reached through it, blobs included', async () => {
    const { registry } = await overHttp();
    registry.putManifest('a/b', { schemaVersion: 2, layers: [] }, 'v1');
    const blob = registry.putBlob('a/b', Buffer.from('through the proxy'));
    const proxy = await startProxy(registry.host);
    const images = makeImages({
      env: { HOME: '/nonexistent', HTTP_PROXY: `http://me:secret@${proxy.host}` },
      insecureRegistries: ['registry.test'],
    });
    const repository = await images.open(parseReference('registry.test/a/b'), 'read');

    await repository.getManifest(parseTag('v1'));
    const bytes = await readAll(repository.readBlob(blob));

    expect(bytes.toString()).toBe('through the proxy');
    expect(proxy.seen.map(({ url }) => url)).toEqual([
      'http://registry.test/v2/a/b/manifests/v1',
      `http://registry.test/v2/a/b/blobs/${blob.digest}`,
    ]);
    expect(proxy.seen[0]?.authorization).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
    expect(registry.requests.at(-1)?.headers.host).toBe('registry.test');
  });

  it('is not asked for by a proxy that refuses to open a tunnel', async () => {
    const proxy = await startProxy('127.0.0.1:1');
    const images = makeImages({
      env: { HOME: '/nonexistent', HTTPS_PROXY: `http://me:secret@${proxy.host}` },
      sleep: async () => undefined,
    });
    const repository = await images.open(parseReference('registry.test/a/b'), 'read');

    const reading = repository.getManifest(parseTag('v1'));

    await expect(reading).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `Cannot read manifest v1 of registry.test/a/b: the proxy ${proxy.host} answered 403`,
    });
    await expect(reading).rejects.not.toMatchObject({
      message: expect.stringContaining('secret') as unknown,
    });
  });
});

interface SeenByProxy {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** A proxy that takes every request to one server, and refuses tunnels. */
async function startProxy(target: string): Promise<{ host: string; seen: SeenByProxy[] }> {
  const seen: SeenByProxy[] = [];
  const server = createServer((incoming, response) => {
    const authorization = incoming.headers['proxy-authorization'];
    seen.push({ url: incoming.url ?? '', authorization });
    const { pathname, search } = new URL(incoming.url ?? '');
    const [hostname, port] = target.split(':');
    const outgoing = httpRequest(
      { hostname, port, path: `${pathname}${search}`, method: incoming.method, headers: incoming.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    incoming.pipe(outgoing);
  });
  server.on('connect', (_, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}
