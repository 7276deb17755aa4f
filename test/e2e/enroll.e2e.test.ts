import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

const run = promisify(execFile);
const OWNER = '11111111-2222-3333-4444-555566667777';

let scratch: string;
const path = (name: string): string => join(scratch, name);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-enroll-'));
  for (const name of ['signing', 'kek']) {
    await run('openssl', [
      ...[
        'req',
        '-new',
        '-x509',
        '-nodes',
        '-newkey',
        'rsa:2048',
        '-days',
        '365',
        '-subj',
        `/CN=Acme ${name}`,
      ],
      ...['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
    ]);
  }
  const kek = ['--kek-key', 'kek.key', '--kek-cert', 'kek.pem'];
  const { exitCode } = await runCli(
    [
      'enroll',
      '--cert',
      'signing.pem',
      '--out',
      'out',
      ...kek,
      '--owner',
      OWNER,
      '--time',
      '2026-11-20T12:00:00Z',
    ],
    { cwd: scratch },
  );
  expect(exitCode).toBe(0);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('kmodlayer enroll', () => {
  it('writes the signature list of cert-to-efi-sig-list', async () => {
    await run('cert-to-efi-sig-list', ['-g', OWNER, path('signing.pem'), path('theirs.esl')]);

    const ours = await readFile(path('out/db.esl'));

    expect(ours.equals(await readFile(path('theirs.esl')))).toBe(true);
  });

  it('writes the update of sign-efi-sig-list, byte for byte', async () => {
    const keys = ['-k', path('kek.key'), '-c', path('kek.pem')];
    await run(
      'sign-efi-sig-list',
      [...['-a', '-t', '2026-11-20 12:00:00', ...keys, 'db', path('out/db.esl'), path('theirs.auth')]],
      { env: { ...process.env, TZ: 'UTC' } },
    );

    const ours = await readFile(path('out/db-append.auth'));

    expect(ours.toString('hex')).toBe((await readFile(path('theirs.auth'))).toString('hex'));
  });

  it('prints the fingerprint of openssl', async () => {
    const { stdout } = await run('openssl', [
      ...['x509', '-inform', 'DER', '-in', path('out/certificate.der'), '-noout', '-fingerprint', '-sha256'],
    ]);

    const readme = await readFile(path('out/README.txt'), 'utf8');

    expect(readme).toContain(stdout.trim().split('=')[1]);
  });
});
