import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { makeWeb } from '../../src/registry/web.ts';
import { serveFiles } from '../support/web-server.ts';

const events: BuildEvent[] = [];
const web = makeWeb({
  caFiles: [],
  certDirs: [],
  env: {},
  report: (event) => events.push(event),
  sleep: () => Promise.resolve(),
});

function request(url: string, maxBytes = 1000) {
  return { url, what: 'the graph', maxBytes };
}

describe('a file of the web', () => {
  it('is read whole, with its query', async () => {
    await using server = await serveFiles({ '/graph': 'nodes' });

    expect((await web.get(request(`${server.url}/graph?arch=arm64`)))?.toString()).toBe('nodes');
    expect(server.requests).toEqual(['/graph?arch=arm64']);
  });

  it('is nothing where the server has none', async () => {
    await using server = await serveFiles({});

    expect(await web.get(request(`${server.url}/graph`))).toBeUndefined();
  });

  it('is asked for again after an answer that passes', async () => {
    let count = 0;
    await using server = await serveFiles({
      '/graph': (_request, response) => response.writeHead(++count < 3 ? 503 : 200).end('nodes'),
    });

    expect((await web.get(request(`${server.url}/graph`)))?.toString()).toBe('nodes');
    expect(count).toBe(3);
  });

  it('is followed to where it is', async () => {
    await using server = await serveFiles({
      '/old': (_request, response) => response.writeHead(302, { location: '/new' }).end(),
      '/new': 'here',
    });

    expect((await web.get(request(`${server.url}/old`)))?.toString()).toBe('here');
  });

  it('may not be larger than wanted', async () => {
    await using server = await serveFiles({ '/graph': Buffer.alloc(2000) });

    await expect(web.get(request(`${server.url}/graph`))).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
      message: 'Cannot read the graph: it has more than 1000 bytes',
    });
  });

  it('says what broke off', async () => {
    await using server = await serveFiles({
      '/graph': (_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => response.destroy());
      },
    });

    await expect(web.get(request(`${server.url}/graph`))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('says what was answered otherwise, without what an address may hide', async () => {
    await using server = await serveFiles({
      '/graph': (_request, response) => response.writeHead(418).end(),
    });
    const address = `${server.url.replace('//', '//user:secret@')}/graph?token=secret`;

    await expect(web.get(request(address))).rejects.toMatchObject({
      code: 'UNEXPECTED_STATUS',
      message: `Cannot read the graph from ${server.url}/graph: the answer was 418`,
    });
  });

  it('has an address of the web', async () => {
    for (const url of ['file:///etc/passwd', 'graph', 'javascript:1', '']) {
      await expect(web.get(request(url))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    }
  });
});
