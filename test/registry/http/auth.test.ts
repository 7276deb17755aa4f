import { describe, expect, it } from 'vitest';
import { parseTag } from '../../../src/oci/tag.ts';
import { RegistryError } from '../../../src/errors.ts';
import { readAll, writeBlob, writeImage } from '../../contract/registry.ts';
import { authFileWith, overHttp } from '../../support/over-http.ts';
import type { TestAuth } from '../../support/test-registry.ts';

const BEARER: TestAuth = { kind: 'bearer', user: 'robot', password: 'hunter2:with:colons' };
const BASIC: TestAuth = { ...BEARER, kind: 'basic' };
const GOOD = 'robot:hunter2:with:colons';
const V1 = parseTag('v1');

describe('a registry with tokens', () => {
  it('is asked for a token once, and turns only the first request away', async () => {
    const { registry, open } = await overHttp({ auth: BEARER, credential: GOOD });
    const repository = await open('a/b');

    await repository.writeManifest(await writeImage(repository, 'layer'), V1);
    await repository.getManifest(V1);

    expect(registry.count('GET', /^\/token/)).toBe(1);
    expect(registry.gate?.grants).toEqual([['repository:a/b:pull,push']]);
    const turnedAway = registry.requests.filter(
      ({ url, headers }) => url.startsWith('/v2/') && url !== '/v2/' && headers.authorization === undefined,
    );
    expect(turnedAway).toHaveLength(1);
  });

  it('gives one token to all who ask at the same time', async () => {
    const { registry, open } = await overHttp({ auth: BEARER, credential: GOOD });
    const repository = await open('a/b');
    await repository.findManifest(V1);
    registry.gate?.revokeAll();

    await Promise.all(Array.from({ length: 20 }, () => repository.findManifest(V1)));

    expect(registry.count('GET', /^\/token/)).toBeLessThanOrEqual(3);
  });

  it('is asked for another token when it forgot ours', async () => {
    const { registry, open } = await overHttp({ auth: BEARER, credential: GOOD });
    const repository = await open('a/b');
    const blob = await writeBlob(repository, Buffer.from('x'));
    registry.gate?.revokeAll();

    const bytes = await readAll(repository.readBlob(blob));

    expect(bytes.toString()).toBe('x');
    expect(registry.count('GET', /^\/token/)).toBe(2);
  });

  it('is asked for another token before the old one ends', async () => {
    const { registry, open } = await overHttp({ auth: { ...BEARER, tokenSeconds: 0.05 }, credential: GOOD });
    const repository = await open('a/b', 'read');
    await repository.findManifest(V1);
    await new Promise((resolve) => setTimeout(resolve, 45));

    await repository.findManifest(V1);

    expect(registry.count('HEAD', /manifests/)).toBe(3);
    expect(registry.count('GET', /^\/token/)).toBe(2);
  });

  it('gives a token for both repositories of a mount', async () => {
    const { registry, open } = await overHttp({ auth: BEARER, credential: GOOD });
    const [source, target] = [await open('a/base', 'read'), await open('a/new')];
    const blobs = [
      registry.putBlob('a/base', Buffer.from('1')),
      registry.putBlob('a/base', Buffer.from('2')),
    ];
    await source.findManifest(V1);

    const mounted = await Promise.all(blobs.map((blob) => target.mountBlob(blob, source)));

    expect(mounted).toEqual([true, true]);
    expect(registry.gate?.grants).toEqual([
      ['repository:a/base:pull'],
      ['repository:a/new:pull,push', 'repository:a/base:pull'],
    ]);
  });

  it('lets anyone read what is public', async () => {
    const { registry, open } = await overHttp({ auth: { ...BEARER, isPublic: true } });
    registry.putManifest('a/b', { schemaVersion: 2, layers: [] }, 'v1');

    const manifest = await (await open('a/b', 'read')).getManifest(V1);

    expect(manifest.mediaType).toContain('oci.image.manifest');
  });

  it('exchanges an identity token', async () => {
    const authFile = identityFile('refresh-me');
    const { registry, open } = await overHttp({ auth: { ...BEARER, identityToken: 'refresh-me' } });
    const { images } = await overHttp({
      client: { authFile: await authFile(registry.host), insecureRegistries: [registry.host] },
    });
    const { reference } = await open('a/b');

    await (await images.open(reference, 'write')).findManifest(V1);

    expect(registry.count('POST', /^\/token/)).toBe(1);
    expect(registry.gate?.grants).toHaveLength(1);
  });

  it('gets the identity token as a password where it knows no exchange', async () => {
    const authFile = identityFile('unused');
    const { registry, open } = await overHttp({ auth: BEARER });
    const { images } = await overHttp({
      client: { authFile: await authFile(registry.host), insecureRegistries: [registry.host] },
    });
    const { reference } = await open('a/b');

    await (await images.open(reference, 'write')).findManifest(V1);

    expect(registry.count('POST', /^\/token/)).toBe(1);
    expect(registry.count('GET', /^\/token/)).toBe(1);
  });

  it('waits when the token server is busy', async () => {
    const { registry, open, slept } = await overHttp({ auth: BEARER, credential: GOOD });
    const action = { kind: 'status', status: 429, headers: { 'retry-after': '1' } } as const;
    registry.fail({ path: /^\/token/, times: 1, action });

    await (await open('a/b')).findManifest(V1);

    expect(slept).toEqual([1000]);
  });

  it('that refuses the credential is named, with the file it came from and without the secret', async () => {
    const { registry, open } = await overHttp({ auth: BEARER, credential: 'robot:wrong-password' });

    const error = await failureOf((await open('a/b')).getManifest(V1));

    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(error.message).toMatch(/does not accept the credential from .*auth\.json/);
    expect(error.message).toContain(registry.host);
    expect(JSON.stringify([error.message, error.hint])).not.toMatch(/wrong-password|robot:|Basic/);
  });

  it('that wants a credential is named, with the way to one', async () => {
    const { registry, open } = await overHttp({ auth: BEARER });

    const error = await failureOf((await open('a/b')).getManifest(V1));

    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(error.hint).toContain(`podman login ${registry.host}`);
  });

  it.each([
    ['nothing', 'Bearer realm=""', /no token server/],
    ['a file', 'Bearer realm="file:///etc/passwd"', /no token server/],
    ['a server that has no TLS', 'Bearer realm="http://evil.example/"', undefined],
  ])('that names %s as its token server gets no credential', async (_, challenge, message) => {
    const { registry, open } = await overHttp({ credential: GOOD });
    const headers = { 'www-authenticate': challenge };
    registry.fail({ action: { kind: 'status', status: 401, headers } });

    const error = await failureOf((await open('a/b')).getManifest(V1));

    expect(error).toBeInstanceOf(RegistryError);
    if (message !== undefined) expect(error.message).toMatch(message);
    expect(registry.requests.every(({ headers: sent }) => sent.authorization === undefined)).toBe(true);
  });
});

describe('a registry with passwords', () => {
  it('gets the password, split from the user at the first colon', async () => {
    const { registry, open } = await overHttp({ auth: BASIC, credential: GOOD });
    const repository = await open('a/b');

    await repository.writeManifest(await writeImage(repository, 'layer'), V1);

    expect(registry.repository('a/b').tags.has('v1')).toBe(true);
  });

  it('is not asked again with a password that it refused', async () => {
    const { registry, open } = await overHttp({ auth: BASIC, credential: 'robot:wrong' });

    const error = await failureOf((await open('a/b')).getManifest(V1));

    expect(error).toMatchObject({ code: 'UNAUTHORIZED', status: 401 });
    expect(registry.count('GET', /manifests/)).toBe(2);
  });

  it('is told apart from one that forbids', async () => {
    const { registry, open } = await overHttp({ auth: BASIC, credential: GOOD });
    const body = '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}';
    registry.fail({ path: /manifests/, action: { kind: 'status', status: 403, body } });

    const error = await failureOf((await open('a/b')).getManifest(V1));

    expect(error).toMatchObject({ code: 'FORBIDDEN', status: 403 });
    expect(error.message).toContain('DENIED: requested access');
  });
});

it('nothing that is said holds a secret', async () => {
  const { registry, open, events } = await overHttp({ auth: BEARER, credential: GOOD });
  registry.fail({ method: 'PUT', times: 2, action: { kind: 'status', status: 503 } });
  registry.fail({ path: /^\/token/, times: 1, action: { kind: 'status', status: 500 } });
  const repository = await open('a/b');

  await writeBlob(repository, Buffer.from('x'));
  const error = await failureOf(repository.getManifest(V1));

  expect(events.length).toBeGreaterThan(2);
  const said = JSON.stringify([events, error.message, error.hint, error.stack]);
  expect(said).not.toMatch(/hunter2|secret-state|Bearer [0-9a-f]|Basic [A-Za-z0-9]|scope=/);
});

/** A credentials file with an identity token, which is `robot`'s password, too. */
function identityFile(identitytoken: string): (host: string) => Promise<string> {
  const auth = Buffer.from(GOOD).toString('base64');
  return (host) => authFileWith({ auths: { [host]: { auth, identitytoken } } });
}

async function failureOf(work: Promise<unknown>): Promise<RegistryError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RegistryError)) throw new Error('did not fail as expected', { cause: error });
  return error;
}
