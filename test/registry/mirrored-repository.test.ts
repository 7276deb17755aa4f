import { describe, expect, it, onTestFinished } from 'vitest';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { makeImages } from '../../src/registry/images.ts';
import type { Mirror, MirrorRule } from '../../src/registry/mirrors.ts';
import type { Images } from '../../src/registry/repository.ts';
import { readAll } from '../contract/registry.ts';
import { authFileWith } from '../support/over-http.ts';
import { TestRegistry, type TestAuth } from '../support/test-registry.ts';

const V1 = parseTag('v1');
const IMAGE = { schemaVersion: 2, layers: [] };

interface World {
  readonly mirror: TestRegistry;
  readonly source: TestRegistry;
  readonly open: (purpose?: 'read' | 'write') => ReturnType<Images['open']>;
  readonly images: Images;
}

/** A source and one mirror of it, both over HTTP. */
async function world(
  options: { pull?: Mirror['pull']; mayContactSource?: boolean; auth?: TestAuth; credential?: string } = {},
): Promise<World> {
  const mirror = await new TestRegistry(options.auth === undefined ? {} : { auth: options.auth }).listen();
  const source = await new TestRegistry().listen();
  onTestFinished(async () => {
    await Promise.all([mirror.close(), source.close()]);
  });
  const rule: MirrorRule = {
    prefix: `${source.host}/ocp`,
    location: undefined,
    mirrors: [{ location: `${mirror.host}/copy`, pull: options.pull ?? 'all', isInsecure: true }],
    mayContactSource: options.mayContactSource,
    isInsecure: true,
    file: 'idms.yaml',
  };
  const authFile =
    options.credential === undefined
      ? undefined
      : await authFileWith({
          auths: { [`${mirror.host}/copy`]: { auth: Buffer.from(options.credential).toString('base64') } },
        });
  const images = makeImages({
    env: { HOME: '/nonexistent' },
    mirrors: [rule],
    authFile,
    sleep: async () => undefined,
  });
  const reference = parseReference(`${source.host}/ocp/release`);
  return { mirror, source, images, open: (purpose = 'read') => images.open(reference, purpose) };
}

describe('a repository with mirrors', () => {
  it('is read from the mirror, and keeps its own name', async () => {
    const { mirror, source, open } = await world();
    const { digest } = mirror.putManifest('copy/release', IMAGE, 'v1');
    const blob = mirror.putBlob('copy/release', Buffer.from('mirrored'));

    const repository = await open();
    const manifest = await repository.getManifest(V1);
    const bytes = await readAll(repository.readBlob(blob));

    expect(manifest.digest).toBe(digest);
    expect(bytes.toString()).toBe('mirrored');
    expect(repository.reference).toEqual(parseReference(`${source.host}/ocp/release`));
    expect(source.requests).toEqual([]);
  });

  it('is read from the source when the mirror does not have it', async () => {
    const { source, open } = await world();
    const { digest } = source.putManifest('ocp/release', IMAGE, 'v1');
    const blob = source.putBlob('ocp/release', Buffer.from('only here'));

    const repository = await open();

    expect((await repository.getManifest(V1)).digest).toBe(digest);
    expect(await repository.findManifest(V1)).toEqual({ digest });
    expect((await readAll(repository.readBlob(blob))).toString()).toBe('only here');
    expect(await repository.hasBlob(blob)).toBe(true);
    expect(await repository.findManifest(parseTag('absent'))).toBeUndefined();
  });

  it('asks for blobs where it found the manifest', async () => {
    const { mirror, source, open } = await world();
    source.putManifest('ocp/release', IMAGE, 'v1');
    const blob = source.putBlob('ocp/release', Buffer.from('only here'));

    const repository = await open();
    await repository.getManifest(V1);
    await readAll(repository.readBlob(blob));

    expect(mirror.count('GET', /blobs/)).toBe(0);
  });

  it('does not wait for a mirror that is down more than once', async () => {
    const { mirror, source, open } = await world();
    source.putManifest('ocp/release', IMAGE, 'v1');
    const blob = source.putBlob('ocp/release', Buffer.from('x'));
    await mirror.close();

    const repository = await open();
    await repository.getManifest(V1);
    await repository.getManifest(V1);
    await repository.hasBlob(blob);

    expect(source.count('GET', /manifests/)).toBe(2);
  });

  it('is read from the source when the mirror serves other bytes than the digest says', async () => {
    const { mirror, source, open } = await world();
    const { digest } = source.putManifest('ocp/release', IMAGE);
    mirror.putManifest('copy/release', IMAGE);
    mirror.fail({ path: /manifests/, action: { kind: 'corrupt' } });

    const manifest = await (await open()).getManifest(digest);

    expect(manifest.digest).toBe(digest);
    expect(source.count('GET', /manifests/)).toBe(1);
  });

  it('says all that was tried when nobody has it', async () => {
    const { mirror, source, open } = await world();
    await mirror.close();

    const reading = (await open()).getManifest(V1);

    await expect(reading).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(
        `tried ${mirror.host}/copy/release: the connection was refused.*; ${source.host}/ocp/release: it is not there`,
      ) as unknown,
    });
  });

  it('is not asked for at its source when that is not allowed', async () => {
    const { source, open } = await world({ mayContactSource: false });
    source.putManifest('ocp/release', IMAGE, 'v1');

    const reading = (await open()).getManifest(V1);

    await expect(reading).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(source.requests).toEqual([]);
  });

  it('cannot be read by tag when there are only mirrors for digests', async () => {
    const { mirror, open } = await world({ mayContactSource: false, pull: 'digest-only' });
    const { digest } = mirror.putManifest('copy/release', IMAGE, 'v1');
    const repository = await open();

    const byTag = repository.getManifest(V1);

    await expect(byTag).rejects.toMatchObject({ code: 'FORBIDDEN', hint: 'idms.yaml says so.' });
    expect((await repository.getManifest(digest)).digest).toBe(digest);
  });

  it('logs in with the credential of the mirror', async () => {
    const auth = { kind: 'bearer', user: 'u', password: 'p' } as const;
    const { mirror, open } = await world({ auth, credential: 'u:p' });
    mirror.putManifest('copy/release', IMAGE, 'v1');

    await (await open()).getManifest(V1);

    expect(mirror.gate?.grants).toEqual([['repository:copy/release:pull']]);
  });

  it('is written to at its source', async () => {
    const { mirror, source, open } = await world();

    await (await open('write')).writeBlob(source.putBlob('x', Buffer.from('x')), () => [Buffer.from('x')]);

    expect(source.repository('ocp/release').blobs.size).toBe(1);
    expect(mirror.requests).toEqual([]);
  });

  it('lends its blobs to another repository on the mirror', async () => {
    const { mirror, images, open } = await world();
    const blob = mirror.putBlob('copy/release', Buffer.from('base layer'));
    const target = await images.open(parseReference(`${mirror.host}/acme/derived`), 'write');

    const isMounted = await target.mountBlob(blob, await open());

    expect(isMounted).toBe(true);
    expect(mirror.repository('acme/derived').blobs.has(blob.digest)).toBe(true);
  });
});
