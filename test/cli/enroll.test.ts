import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { parseEfiSignatureLists } from '../../src/sign/efi-signature-list.ts';
import { makeThrowAwayKey, THROW_AWAY_NAME } from '../../src/sign/throw-away-key.ts';
import { runCli, type CliRun } from '../support/cli.ts';

const MODULES = resolve('fixtures/modules');
const KEK = [
  '--kek-key',
  join(MODULES, 'test-only-rsa.key'),
  '--kek-cert',
  join(MODULES, 'test-only-rsa.pem'),
];
const CERTIFICATE = resolve('fixtures/quickstart/keys/TEST-ONLY.der');

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function enroll(...argv: readonly string[]): Promise<CliRun> {
  return runCli(['enroll', '--cert', CERTIFICATE, '--out', 'out', ...argv], {
    cwd: directory,
    env: { SOURCE_DATE_EPOCH: '1790000000' },
  });
}

const written = (name: string): Promise<Buffer> => readFile(join(directory, 'out', name));

describe('kmodlayer enroll', () => {
  it('writes the certificate in every form that machines take', async () => {
    const { exitCode, stdout, stderr } = await enroll(
      '--owner',
      '11111111-2222-3333-4444-555566667777',
      '-o',
      'json',
    );

    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const files = [
      ...['README.txt', 'certificate.der', 'certificate.pem', 'db.esl', 'node-state.yaml', 'redfish-db.json'],
    ];
    expect(JSON.parse(stdout)).toEqual({ schema: 'kmodlayer/enroll/v1', directory: 'out', files });
    expect((await readdir(join(directory, 'out'))).sort()).toEqual(files);
    const { der } = parseCertificate(await readFile(CERTIFICATE));
    expect((await written('certificate.der')).equals(der)).toBe(true);
    expect(parseEfiSignatureLists(await written('db.esl'))).toMatchObject([
      { owner: '11111111-2222-3333-4444-555566667777', data: der },
    ]);
    const redfish = JSON.parse((await written('redfish-db.json')).toString()) as Record<string, string>;
    expect(Object.keys(redfish)).toEqual(['CertificateString', 'CertificateType', 'UefiSignatureOwner']);
    expect(new X509Certificate(redfish['CertificateString'] ?? '').raw.equals(der)).toBe(true);
    const { fingerprint256 } = new X509Certificate(der);
    expect((await written('README.txt')).toString()).toContain(fingerprint256);
  });

  it('writes the same signed update for the same time, and another for another', async () => {
    await enroll(...KEK);
    const first = await written('db-append.auth');

    await enroll(...KEK);
    expect((await written('db-append.auth')).equals(first)).toBe(true);
    await enroll(...KEK, '--time', '2026-11-20T12:00:00Z');
    expect((await written('db-append.auth')).equals(first)).toBe(false);
    expect((await written('db-append.auth')).subarray(0, 7).toString('hex')).toBe('ea070b140c0000');
  });

  it('refuses the certificate of a key that was thrown away', async () => {
    const { certificate } = await makeThrowAwayKey(THROW_AWAY_NAME, new Date());
    await writeFile(join(directory, 'gone.der'), certificate);

    const { exitCode, stderr } = await runCli(['enroll', '--cert', 'gone.der', '--out', 'out'], {
      cwd: directory,
    });

    expect(exitCode).toBe(7);
    expect(stderr).toContain('Cannot enrol a certificate whose key was thrown away');
    expect(await readdir(directory)).toEqual(['gone.der']);
  });

  it.each([
    [KEK.slice(0, 2), 2, 'half of the KEK is missing'],
    [['--time', 'now'], 2, 'Cannot use time "now"'],
    [['--node-state-image', 'oci:images'], 2, 'they pull from registries only'],
    [['--owner', 'me'], 7, 'Cannot use GUID "me"'],
    [
      ['--kek-key', join(MODULES, 'test-only-ec.key'), '--kek-cert', join(MODULES, 'test-only-ec.pem')],
      7,
      'is not RSA',
    ],
    [
      ['--kek-key', join(MODULES, 'test-only-ec.key'), '--kek-cert', join(MODULES, 'test-only-rsa.pem')],
      7,
      'another key',
    ],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await enroll(...argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
    expect(await readdir(directory)).toEqual([]);
  });
});
