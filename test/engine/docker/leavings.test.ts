import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Client from 'dockerode';
import { expect, describe, it, onTestFinished } from 'vitest';
import type { Api, Docker } from '../../../src/engine/docker/api.ts';
import { makeLeavings, removeLeavings, REQUEST_LABEL } from '../../../src/engine/docker/leavings.ts';

interface FakeImage {
  readonly name?: string;
  /** Value of the label of requests. */
  readonly label?: string;
  /** The image that it was made of. */
  readonly parent?: string;
}

/** What podman's service answers about images, and does to them: one with children goes by force alone. */
async function servePodman(images: Map<string, FakeImage>): Promise<Api> {
  const server = createServer(({ method, url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://podman');
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    };
    if (method === 'GET' && pathname.endsWith('/images/json')) {
      const filters = JSON.parse(searchParams.get('filters') ?? '{}') as { label?: string[] };
      const wanted = [...images].filter(
        ([, { label }]) => filters.label?.every((one) => one === `${REQUEST_LABEL}=${label}`) ?? true,
      );
      answer(
        200,
        wanted.map(([Id, { name }]) => ({ Id, RepoTags: name === undefined ? null : [name] })),
      );
      return;
    }
    const asked = decodeURIComponent(pathname.replace(/^.*\/images\//, ''));
    const id = images.has(asked) ? asked : [...images].find(([, { name }]) => name === asked)?.[0];
    const isParent = [...images.values()].some(({ parent }) => parent === id);
    if (method !== 'DELETE' || id === undefined) answer(404, { message: 'no such image' });
    else if (isParent && searchParams.get('force') !== 'true') answer(409, { message: 'image has children' });
    else answer(200, [{ Deleted: images.delete(id) }]);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const docker = new Client({ host: '127.0.0.1', port }) as unknown as Docker;
  return { docker, name: 'podman API', isPodman: true, options: {} as Api['options'], buildOptions: {} };
}

describe('removeLeavings()', () => {
  it('removes what a request of podman made, parents after children, and nothing of other builds', async () => {
    const [ours, theirs] = ['localhost/kmodlayer/aaa', 'localhost/kmodlayer/bbb'];
    const images = new Map<string, FakeImage>([['old', {}]]);
    const api = await servePodman(images);
    const before = await makeLeavings(api);
    images.set('stage', { label: ours });
    images.set('step', { label: ours, parent: 'stage' });
    images.set('last', { label: ours, parent: 'step', name: `${ours}/build-0:latest` });
    images.set('of another job', { label: theirs });
    images.set('of somebody else', {});

    await removeLeavings(api, { prefix: ours, before });

    expect([...images.keys()]).toEqual(['old', 'of another job', 'of somebody else']);
  });

  it('leaves an image that others were made of', async () => {
    const prefix = 'localhost/kmodlayer/aaa';
    const images = new Map<string, FakeImage>([
      ['stage', { label: prefix }],
      ['theirs', { parent: 'stage', name: 'localhost/theirs:latest' }],
    ]);
    const api = await servePodman(images);

    await removeLeavings(api, { prefix, before: new Set() });

    expect([...images.keys()]).toEqual(['stage', 'theirs']);
  });
});
