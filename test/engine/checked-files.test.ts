import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchChecked } from '../../src/engine/checked-files.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { makeWeb, type Web } from '../../src/registry/web.ts';

const BYTES = Buffer.from('a driver\n'.repeat(100_000));
const SHA256 = digestOf(BYTES);

let directory: string;
let server: Server | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(directory, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/driver.tar.gz?token=s3cret`;
}

function web(env: Readonly<Record<string, string>> = {}): Web {
  return makeWeb({ env, caFiles: [], certDirs: [], report: () => undefined, sleep: () => Promise.resolve() });
}

function fetch(url: string, sha256 = SHA256): Promise<string> {
  const options = { web: web(), directory: join(directory, 'downloads') };
  return fetchChecked({ location: { type: 'url', url }, sha256 }, options, new AbortController().signal);
}

describe('fetchChecked()', () => {
  it('downloads a file once, and looks at it each time', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      response.end(BYTES);
    });

    const path = await fetch(url);
    expect(readFileSync(path).equals(BYTES)).toBe(true);
    expect(await fetch(url)).toBe(path);
    expect(requests).toBe(1);

    writeFileSync(path, 'rotten');
    expect(readFileSync(await fetch(url)).equals(BYTES)).toBe(true);
    expect(requests).toBe(2);
  });

  it('shows both checksums when they differ, keeps nothing, and shows no query', async () => {
    const url = await serve((_, response) => response.end('another driver'));

    await expect(fetch(url)).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      message: `Cannot trust ${url.replace('?token=s3cret', '')}: its sha256 is ${hexOf(digestOf(Buffer.from('another driver')))}, and the spec says ${hexOf(SHA256)}`,
    });
    expect(readdirSync(join(directory, 'downloads'))).toEqual([]);
  });

  it('begins again when a connection breaks or the server is busy', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      if (requests === 1) response.writeHead(503).end();
      else if (requests === 2) {
        response.writeHead(200, { 'content-length': BYTES.length });
        response.write(BYTES.subarray(0, 1000), () => response.destroy());
      } else response.end(BYTES);
    });

    expect(readFileSync(await fetch(url)).equals(BYTES)).toBe(true);
    expect(requests).toBe(3);
  });

  it('follows redirects', async () => {
    const url = await serve((request, response) => {
      if (request.url?.startsWith('/other') === true) response.end(BYTES);
      else response.writeHead(302, { location: '/other' }).end();
    });

    expect(readFileSync(await fetch(url)).equals(BYTES)).toBe(true);
  });

  it('goes through the proxy', async () => {
    let asked: string | undefined;
    const proxy = await serve((request, response) => {
      asked = request.url;
      response.end(BYTES);
    });
    const file = {
      location: { type: 'url', url: 'http://vendor.example.com/d.tar' },
      sha256: SHA256,
    } as const;

    await fetchChecked(
      file,
      { web: web({ http_proxy: new URL(proxy).origin }), directory },
      new AbortController().signal,
    );

    expect(asked).toBe('http://vendor.example.com/d.tar');
  });

  it('says that there is no such file, without what the URL hides', async () => {
    const url = await serve((_, response) => response.writeHead(404).end());

    await expect(fetch(url)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: `Cannot get ${url.replace('?token=s3cret', '')}: there is no such file`,
    });
  });

  it('checks files of this machine in their place', async () => {
    const path = join(directory, 'driver.tar');
    writeFileSync(path, BYTES);
    const options = { web: web(), directory };
    const { signal } = new AbortController();

    expect(await fetchChecked({ location: { type: 'file', path }, sha256: SHA256 }, options, signal)).toBe(
      path,
    );
    const other = { location: { type: 'file', path }, sha256: digestOf(Buffer.from('x')) } as const;
    await expect(fetchChecked(other, options, signal)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    const gone = { location: { type: 'file', path: `${path}x` }, sha256: SHA256 } as const;
    await expect(fetchChecked(gone, options, signal)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });
});
