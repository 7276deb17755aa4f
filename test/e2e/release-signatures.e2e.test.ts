import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { serveFiles } from '../support/web-server.ts';

const run = promisify(execFile);
const RELEASE = 'oci:fixtures/quickstart/release:4.18.4';

let scratch = '';
let digest = '';

beforeAll(async () => {
  // GnuPG's agent listens on a socket in there, whose path must be short.
  scratch = await mkdtemp(join(tmpdir(), 'kls-'));
  digest = await digestOfRelease();
});

afterAll(async () => {
  await run('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: scratch } });
  await rm(scratch, { recursive: true, force: true });
});

async function digestOfRelease(): Promise<string> {
  const { stdout } = await run('skopeo', ['inspect', '--no-tags', '--format={{.Digest}}', RELEASE]);
  return stdout.trim();
}

async function gpg(...args: readonly string[]): Promise<void> {
  await run('gpg', ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
    env: { ...process.env, GNUPGHOME: scratch },
  });
}

/** A key that GnuPG makes, and its keyring. */
async function makeKey(name: string, algorithm = 'rsa3072', ...args: readonly string[]): Promise<string> {
  await gpg(...args, '--quick-generate-key', name, algorithm, 'sign', args.length > 0 ? '1y' : 'never');
  const keyring = join(scratch, `${name}.asc`);
  await gpg('--armor', '--output', keyring, '--export', name);
  return keyring;
}

/** What GnuPG signs for the release; returns a file. */
async function sign(name: string, ...args: readonly string[]): Promise<string> {
  const text = join(scratch, `${name}.json`);
  await writeFile(
    text,
    JSON.stringify({
      critical: {
        type: 'atomic container signature',
        image: { 'docker-manifest-digest': digest },
        identity: { 'docker-reference': 'example.com/release:4.18.4' },
      },
      optional: { creator: name },
    }),
  );
  await gpg(...args, '--yes', '--local-user', name, '--output', `${text}.gpg`, '--sign', text);
  return `${text}.gpg`;
}

function resolveWith(...args: readonly string[]) {
  const env = { XDG_CACHE_HOME: join(scratch, 'cache') };
  return runCli(['resolve', RELEASE, '-o', 'json', '--verify-release', 'require', ...args], { env });
}

describe('A release that GnuPG signed', () => {
  it('is verified from a store, from a directory and from ConfigMaps', async () => {
    const keys = await makeKey('publisher');
    const signature = await readFile(await sign('publisher'));
    const hex = digest.replace('sha256:', '');
    await using store = await serveFiles({ [`/s/sha256=${hex}/signature-1`]: signature });
    await mkdir(join(scratch, 'store', `sha256=${hex}`), { recursive: true });
    await writeFile(join(scratch, 'store', `sha256=${hex}`, 'signature-1'), signature);
    const map = { kind: 'ConfigMap', binaryData: { [`sha256-${hex}-1`]: signature.toString('base64') } };
    await writeFile(join(scratch, 'signatures.json'), JSON.stringify(map));
    const places = [`${store.url}/s`, join(scratch, 'store'), join(scratch, 'signatures.json')];

    for (const place of places) {
      await rm(join(scratch, 'cache'), { recursive: true, force: true });
      const result = await resolveWith('--release-keys', keys, '--release-signatures', place);

      expect(result.stderr).toBe('');
      const { targets } = JSON.parse(result.stdout) as { targets: { release: { signedBy: string[] } }[] };
      const { stdout } = await run('gpg', ['--with-colons', '--show-keys', keys]);
      expect(targets[0]?.release.signedBy).toEqual([/^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1]]);
    }
  });

  it('is verified however GnuPG packs the signature', async () => {
    const keys = join(scratch, 'publisher.asc');

    for (const way of [
      ['--compress-algo', 'none'],
      ['--compress-algo', 'zlib'],
      ['--armor'],
      ['--digest-algo', 'sha512'],
    ]) {
      const signature = await sign('publisher', ...way);
      await rm(join(scratch, 'cache'), { recursive: true, force: true });
      const hex = digest.replace('sha256:', '');
      await using store = await serveFiles({ [`/sha256=${hex}/signature-1`]: await readFile(signature) });
      const result = await resolveWith('--release-keys', keys, '--release-signatures', store.url);

      expect([way, result.exitCode, result.stderr]).toEqual([way, 0, '']);
    }
  });

  it('is refused by a stranger, by a key that had expired, and by one that was revoked', async () => {
    const hex = digest.replace('sha256:', '');
    const refusal = async (name: string, keys: string, ...args: readonly string[]) => {
      const signature = await readFile(await sign(name, ...args));
      await rm(join(scratch, 'cache'), { recursive: true, force: true });
      await using store = await serveFiles({ [`/sha256=${hex}/signature-1`]: signature });
      return await resolveWith('--release-keys', keys, '--release-signatures', store.url);
    };
    await makeKey('stranger');
    const old = await makeKey('old', 'rsa3072', '--faked-system-time', '20200101T000000!');
    const revoked = await makeKey('revoked');
    const signedBefore = await readFile(await sign('revoked'));
    const certificate = join(scratch, 'openpgp-revocs.d', `${await fingerprintOf('revoked')}.rev`);
    await writeFile(certificate, (await readFile(certificate, 'utf8')).replace(/^:(?=-----BEGIN)/m, ''));
    await gpg('--import', certificate);
    await gpg('--yes', '--armor', '--output', revoked, '--export', 'revoked');

    const byStranger = await refusal('stranger', join(scratch, 'publisher.asc'));
    expect(byStranger.exitCode).toBe(4);
    expect(byStranger.stderr).toContain('none of the keys made its signature');
    // GnuPG itself signs with an expired key only where it believes that it is still good.
    const byOld = await refusal('old', old, '--faked-system-time', '20200601T000000!');
    expect([byOld.exitCode, byOld.stderr]).toEqual([0, '']);
    await rm(join(scratch, 'cache'), { recursive: true, force: true });
    await using store = await serveFiles({ [`/sha256=${hex}/signature-1`]: signedBefore });
    const byRevoked = await resolveWith('--release-keys', revoked, '--release-signatures', store.url);
    expect(byRevoked.exitCode).toBe(4);
    expect(byRevoked.stderr).toContain('was revoked');
  });

  it('needs a keyring with keys that can be used', async () => {
    const keys = await makeKey('curve', 'ed25519');
    const result = await resolveWith('--release-keys', keys);

    expect(result.exitCode).toBe(4);
    expect(result.stderr).toContain('it has no RSA key of at least 2048 bits');
  });
});

async function fingerprintOf(name: string): Promise<string> {
  const { stdout } = await run('gpg', ['--with-colons', '--list-keys', name], {
    env: { ...process.env, GNUPGHOME: scratch },
  });
  return /^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1] ?? '';
}
