import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { findEntry, parseAuthFile } from '../../src/registry/auth-file.ts';
import { makeCredentials } from '../../src/registry/credentials.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credentials-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

function auth(user: string): { auth: string } {
  return { auth: Buffer.from(`${user}:pass:word`).toString('base64') };
}

async function write(path: string, content: unknown): Promise<string> {
  const file = join(directory, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('a credentials file', () => {
  it('gives the credential that is closest to the repository', async () => {
    const authFile = await write('close.json', {
      auths: {
        'quay.io': auth('host'),
        'quay.io/openshift-release-dev': auth('namespace'),
        'quay.io/openshift-release-dev/ocp-release': auth('repository'),
      },
    });
    const credentials = makeCredentials({ authFile, env: {} });

    const users = await Promise.all(
      [
        'openshift-release-dev/ocp-release',
        'openshift-release-dev/other',
        'acme/x',
        'openshift-release-devs/x',
      ].map(async (repository) => (await credentials.find('quay.io', repository))?.user),
    );

    expect(users).toEqual(['repository', 'namespace', 'host', 'host']);
  });

  it('splits user and password at the first colon', async () => {
    const authFile = await write('colon.json', { auths: { 'a.b': auth('me') } });

    const found = await makeCredentials({ authFile, env: {} }).find('a.b', 'x');

    expect(found).toEqual({ user: 'me', password: 'pass:word', identityToken: undefined, source: authFile });
  });

  it.each([
    ['docker.io', 'https://index.docker.io/v1/'],
    ['docker.io', 'docker.io'],
    ['registry-1.docker.io', 'index.docker.io'],
    ['a.example:5000', 'https://a.example:5000'],
    ['a.example', 'http://a.example/v2/'],
  ])('is looked up for %s under %s', async (host, key) => {
    const file = parseAuthFile(Buffer.from(JSON.stringify({ auths: { [key]: auth('alias') } })), 'f');

    expect(findEntry(file, host, 'library/x')?.user).toBe('alias');
  });

  it.each([
    ['evildocker.io', 'docker.io'],
    ['quay.io.evil.example', 'quay.io'],
    ['quay.io', 'quay.io:443'],
    ['quay.io', 'quay.io/other'],
  ])('is not looked up for %s under %s', (host, key) => {
    const file = parseAuthFile(Buffer.from(JSON.stringify({ auths: { [key]: auth('alias') } })), 'f');

    expect(findEntry(file, host, 'library/x')).toBeUndefined();
  });

  it('holds identity tokens, with and without a user', () => {
    const text = JSON.stringify({
      auths: { a: { ...auth('u'), identitytoken: 't' }, b: { identitytoken: 't' }, c: {} },
    });

    const file = parseAuthFile(Buffer.from(text), 'f');

    expect(file.entries.get('a')).toEqual({ user: 'u', password: 'pass:word', identityToken: 't' });
    expect(file.entries.get('b')?.identityToken).toBe('t');
    expect(file.entries.has('c')).toBe(false);
  });

  it.each([
    ['no JSON', 'topsecret{'],
    ['a list', '["topsecret"]'],
    ['auths that are none', '{"auths":"topsecret"}'],
    ['no base64', '{"auths":{"a.b":{"auth":"topsecret!"}}}'],
    ['no colon', `{"auths":{"a.b":{"auth":"${Buffer.from('topsecret').toString('base64')}"}}}`],
    ['a helper with a path', '{"credHelpers":{"a.b":"../topsecret"}}'],
  ])('with %s is named without its content', async (_, content) => {
    const authFile = await write('bad.json', content);

    const finding = makeCredentials({ authFile, env: {} }).find('a.b', 'x');

    await expect(finding).rejects.toMatchObject({
      code: 'CREDENTIALS_INVALID',
      message: expect.stringContaining(authFile) as unknown,
    });
    await expect(finding).rejects.not.toMatchObject({
      message: expect.stringMatching(/topsecret|dG9wc2/) as unknown,
    });
  });

  it('that the user named must be there', async () => {
    const finding = makeCredentials({ authFile: '/nonexistent/auth.json', env: {} }).find('a.b', 'x');

    await expect(finding).rejects.toMatchObject({ code: 'CREDENTIALS_INVALID' });
  });

  it('never throws anything but a KmodError', () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
      fc.json().map((json) => Buffer.from(`{"auths":${json},"credHelpers":{}}`)),
      fc.json().map((json) => Buffer.from(`{"auths":{"a":${json}}}`)),
    );

    fc.assert(
      fc.property(content, (bytes) => {
        let error: unknown;
        try {
          findEntry(parseAuthFile(bytes, 'fuzz'), 'a', 'b/c');
        } catch (reason) {
          error = reason;
        }
        expect(error === undefined || error instanceof KmodError).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('makeCredentials()', () => {
  it('takes the first file that has a credential, not the first that is there', async () => {
    await write('run/containers/auth.json', { auths: { 'other.example': auth('runtime') } });
    await write('config/containers/auth.json', { auths: { 'a.b': auth('config') } });
    await write('docker/config.json', { auths: { 'a.b': auth('docker'), 'c.d': auth('docker') } });
    const env = {
      HOME: join(directory, 'nobody'),
      XDG_RUNTIME_DIR: join(directory, 'run'),
      XDG_CONFIG_HOME: join(directory, 'config'),
      DOCKER_CONFIG: join(directory, 'docker'),
    };
    const credentials = makeCredentials({ env });

    const users = await Promise.all(
      ['a.b', 'c.d', 'other.example', 'none.example'].map(
        async (host) => (await credentials.find(host, 'x'))?.user,
      ),
    );

    expect(users).toEqual(['config', 'docker', 'runtime', undefined]);
  });

  it('looks nowhere else when REGISTRY_AUTH_FILE names a file', async () => {
    await write('home/.docker/config.json', { auths: { 'a.b': auth('docker') } });
    const file = await write('only.json', { auths: {} });
    const env = { HOME: join(directory, 'home'), REGISTRY_AUTH_FILE: file, XDG_RUNTIME_DIR: '/nonexistent' };

    const found = await makeCredentials({ env }).find('a.b', 'x');

    expect(found).toBeUndefined();
  });

  it('reads the old file, which has no "auths"', async () => {
    await write('old/.dockercfg', { 'https://index.docker.io/v1/': auth('old') });
    const env = { HOME: join(directory, 'old'), XDG_RUNTIME_DIR: '/nonexistent' };

    const found = await makeCredentials({ env }).find('docker.io', 'library/x');

    expect(found?.user).toBe('old');
  });

  it('asks the helper of a host, which gets the host on its input', async () => {
    const env = await withHelper(
      'echo "$@" > "$0.args"; cat > "$0.input"; echo \'{"ServerURL":"x","Username":"helped","Secret":"s3"}\'',
    );
    const authFile = await write('helper.json', {
      credHelpers: { 'a.b': 'test' },
      auths: { 'a.b': auth('file') },
    });
    const credentials = makeCredentials({ authFile, env });

    const found = await credentials.find('a.b', 'x');
    const other = await credentials.find('c.d', 'x');

    expect(found).toEqual({
      user: 'helped',
      password: 's3',
      identityToken: undefined,
      source: 'docker-credential-test',
    });
    expect(other).toBeUndefined();
    const helper = join(directory, 'bin', 'docker-credential-test');
    expect(await readFile(`${helper}.args`, 'utf8')).toBe('get\n');
    expect(await readFile(`${helper}.input`, 'utf8')).toBe('a.b\n');
  });

  it('takes a token from a helper', async () => {
    const env = await withHelper('echo \'{"Username":"<token>","Secret":"s3"}\'');
    const authFile = await write('helper.json', { credHelpers: { 'a.b': 'test' } });

    const found = await makeCredentials({ authFile, env }).find('a.b', 'x');

    expect(found?.identityToken).toBe('s3');
  });

  it('goes on when the helper has nothing', async () => {
    const env = await withHelper('echo "credentials not found in native keychain"; exit 1');
    const authFile = await write('helper.json', {
      credHelpers: { 'a.b': 'test' },
      auths: { 'a.b': auth('file') },
    });

    const found = await makeCredentials({ authFile, env }).find('a.b', 'x');

    expect(found?.user).toBe('file');
  });

  it('says that a helper fails, without what it printed', async () => {
    const env = await withHelper('echo topsecret; exit 3');
    const authFile = await write('helper.json', { credHelpers: { 'a.b': 'test' } });

    const finding = makeCredentials({ authFile, env }).find('a.b', 'x');

    await expect(finding).rejects.toMatchObject({
      code: 'CREDENTIALS_INVALID',
      message: 'Cannot get the credential for a.b from docker-credential-test: it ended with status 3',
    });
  });

  it('says that a helper is not there', async () => {
    const authFile = await write('helper.json', { credHelpers: { 'a.b': 'absent' } });

    const finding = makeCredentials({ authFile, env: { PATH: '/nonexistent' } }).find('a.b', 'x');

    await expect(finding).rejects.toMatchObject({
      code: 'CREDENTIALS_INVALID',
      message: expect.stringContaining('docker-credential-absent') as unknown,
    });
  });
});

/** Puts a helper on the path. */
async function withHelper(script: string): Promise<Record<string, string>> {
  const file = await write('bin/docker-credential-test', `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return { PATH: `${join(directory, 'bin')}:/usr/bin:/bin` };
}
