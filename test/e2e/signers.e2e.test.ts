import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitSignature } from '../../src/sign/module-signature.ts';
import { runCli, type CliRun } from '../support/cli.ts';
import { listDebianKernels } from '../support/kernels.ts';

const run = promisify(execFile);
const [kernel] = listDebianKernels();
const fixture = resolve('fixtures/modules/kl_consumer.ko');
const LIBRARY = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '4711-secret';

let scratch: string;

const path = (name: string): string => join(scratch, name);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-signers-'));
  for (const [name, ...options] of [
    ['rsa', '-newkey', 'rsa:2048'],
    ['rsa2', '-newkey', 'rsa:3072'],
    ['ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ] as const) {
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)];
    // Valid for long, and not of a CA: nothing to warn of.
    const form = ['-days', '365', '-addext', 'basicConstraints=critical,CA:FALSE'];
    await run('openssl', [
      'req',
      '-new',
      '-x509',
      '-nodes',
      ...options,
      ...form,
      ...files,
      '-subj',
      `/CN=Acme ${name}`,
    ]);
  }
  for (const hash of ['sha256', 'sha512']) {
    await run(kernel.signFile, [hash, path('rsa.key'), path('rsa.pem'), fixture, path(`theirs.${hash}.ko`)]);
  }
  await makeTokens();
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Two tokens of SoftHSM; the first has three keys, of which the one that is not wanted comes first. */
async function makeTokens(): Promise<void> {
  await mkdir(path('tokens'));
  const settings = [`directories.tokendir = ${path('tokens')}`, 'log.level = ERROR', ''].join('\n');
  await writeFile(path('softhsm2.conf'), settings);
  await writeFile(path('hash-only.conf'), `${settings}slots.mechanisms = CKM_SHA256_RSA_PKCS\n`);
  await writeFile(path('pin'), `${PIN}\n`);
  const softhsm = (...args: readonly string[]) =>
    run('softhsm2-util', args, { env: { ...process.env, SOFTHSM2_CONF: path('softhsm2.conf') } });
  for (const token of ['signing', 'other']) {
    await softhsm('--init-token', '--free', '--label', token, '--pin', PIN, '--so-pin', 'so-secret');
  }
  for (const [name, id] of [
    ['rsa2', '01'],
    ['rsa', '02'],
    ['ec', '03'],
  ] as const) {
    await run('openssl', [
      'pkcs8',
      '-topk8',
      '-nocrypt',
      '-in',
      path(`${name}.key`),
      '-out',
      path(`${name}.p8`),
    ]);
    const key = ['--token', 'signing', '--label', `key ${name}`, '--id', id];
    await softhsm('--import', path(`${name}.p8`), ...key, '--pin', PIN);
  }
}

interface SignOptions {
  readonly key: string;
  readonly certificate?: string;
  readonly pin?: readonly string[];
  readonly hash?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function signWithToken({
  key,
  certificate = 'rsa',
  pin = ['--pin-file', 'pin'],
  hash = 'sha256',
  env = {},
}: SignOptions): Promise<CliRun> {
  const argv = ['--key', key, '--cert', `${certificate}.pem`, ...pin, '--hash', hash];
  return runCli(['sign', ...argv, '--output-dir', 'out', fixture, '--verbose'], {
    cwd: scratch,
    env: { SOFTHSM2_CONF: path('softhsm2.conf'), PKCS11_MODULE_PATH: LIBRARY, ...env },
  });
}

const output = (): Promise<Buffer> => readFile(path('out/kl_consumer.ko'));

describe('kmodlayer sign with a token', () => {
  it.each([
    ['by its label', 'pkcs11:token=signing;object=key%20rsa', 'sha256'],
    ['by its identifier', 'pkcs11:token=signing;id=%02', 'sha512'],
    [
      'with everything that RFC 7512 can say',
      `pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;token=signing;object=key%20rsa;id=%02;type=private?module-path=${LIBRARY}`,
      'sha256',
    ],
  ])('writes the bytes of sign-file, with a key named %s', async (_how, key, hash) => {
    const { exitCode, stdout, stderr } = await signWithToken({ key, hash });

    expect(stderr).not.toContain('error');
    expect(exitCode).toBe(0);
    expect((await output()).equals(await readFile(path(`theirs.${hash}.ko`)))).toBe(true);
    expect(stdout + stderr).not.toContain(PIN);
  });

  it('takes the PIN from a variable, or from where the URI says', async () => {
    const fromEnv = await signWithToken({
      key: 'pkcs11:token=signing;id=%02',
      pin: ['--pin-env', 'TOKEN_PIN'],
      env: { TOKEN_PIN: PIN },
    });
    const fromUri = await signWithToken({
      key: 'pkcs11:token=signing;id=%02?pin-source=file:./pin',
      pin: [],
    });

    expect([fromEnv.exitCode, fromUri.exitCode]).toEqual([0, 0]);
  });

  it('signs with a token that does the hashing itself', async () => {
    const { exitCode } = await signWithToken({
      key: 'pkcs11:token=signing;id=%02',
      env: { SOFTHSM2_CONF: path('hash-only.conf') },
    });

    expect(exitCode).toBe(0);
    expect((await output()).equals(await readFile(path('theirs.sha256.ko')))).toBe(true);
  });

  it.each(['sha256', 'sha384', 'sha512'])('signs with ECDSA and %s what openssl verifies', async (hash) => {
    const { exitCode } = await signWithToken({
      key: 'pkcs11:token=signing;object=key%20ec',
      certificate: 'ec',
      hash,
    });

    expect(exitCode).toBe(0);
    await expect(opensslVerify(['ec'])).resolves.toMatchObject({ stderr: /successful/ });
  });

  it.each<[string, SignOptions, RegExp]>([
    ['no such token', { key: 'pkcs11:token=lost;id=%02' }, /Cannot find the token .*"signing"/],
    [
      'no such key',
      { key: 'pkcs11:token=signing;object=lost' },
      /Cannot find the private key .*"key rsa" \(id 02\)/,
    ],
    ['a token that is not named', { key: 'pkcs11:id=%02' }, /Cannot tell which token the URI means: 2 match/],
    [
      'no PIN',
      { key: 'pkcs11:token=signing;id=%02', pin: [] },
      /Private keys show after a login: give "pin"/,
    ],
    [
      'a wrong PIN',
      { key: 'pkcs11:token=signing;id=%02', pin: ['--pin-env', 'P'], env: { P: '1234' } },
      /the PIN is wrong/,
    ],
    [
      'another library',
      { key: 'pkcs11:token=signing;id=%02?module-path=/no/library.so' },
      /its library does not load/,
    ],
    [
      'no library',
      { key: 'pkcs11:token=signing;id=%02', env: { PKCS11_MODULE_PATH: '' } },
      /no library of its token/,
    ],
    [
      'the wrong key',
      { key: 'pkcs11:token=signing;id=%01' },
      /which are no signature of the certificate's key/,
    ],
    [
      'no pkcs11-tool',
      { key: 'pkcs11:token=signing;id=%02', env: { PATH: '/nowhere' } },
      /there is no pkcs11-tool/,
    ],
  ])('says what is wrong with %s', async (_what, options, message) => {
    const { exitCode, stderr, stdout } = await signWithToken(options);

    expect(stderr).toMatch(message);
    expect(exitCode).toBe(7);
    expect(stdout + stderr).not.toContain(PIN);
  });
});

/** Programs that stand in for those of the examples: each does with openssl what the service would. */
const SERVICES = {
  ssh: `#!/bin/sh
[ "$1" = signer@keys.example.com ] || exit 255
shift
exec sh -c "$(printf '%s' "$*" | sed "s|/etc/pki/modules.key|$KEYS/rsa.key|")"
`,
  aws: `#!/bin/sh
case "$*" in
  "kms sign --key-id alias/kernel-modules --message fileb:///dev/stdin --message-type DIGEST --signing-algorithm RSASSA_PKCS1_V1_5_SHA_256 --query Signature --output text") ;;
  *) echo "usage" >&2; exit 252 ;;
esac
openssl pkeyutl -sign -inkey "$KEYS/rsa.key" -pkeyopt digest:sha256 -in /dev/stdin | base64 -w 0
echo
`,
  'signing-client': `#!/bin/sh
[ "$1 $2 $3 $4 $5 $6 $7 $8" = "sign --key kernel-modules --digest sha256 --comment module kl_consumer --output" ] || exit 2
echo "approved by the release team"
exec openssl cms -sign -binary -noattr -nocerts -nosmimecap -md sha256 -outform DER \\
  -signer "$KEYS/rsa.pem" -inkey "$KEYS/rsa.key" -in "\${10}" -out "$9"
`,
} as const;

describe('kmodlayer sign with a program', () => {
  beforeAll(async () => {
    await mkdir(path('bin'));
    for (const [name, script] of Object.entries(SERVICES)) {
      await writeFile(path(`bin/${name}`), script, { mode: 0o755 });
    }
    await cp('fixtures/signers', scratch, { recursive: true });
  });

  const sign = (...argv: readonly string[]): Promise<CliRun> =>
    runCli(['sign', '--cert', 'rsa.pem', '--output-dir', 'out', fixture, ...argv], {
      cwd: scratch,
      env: { PATH: `${path('bin')}${delimiter}${process.env['PATH'] ?? ''}`, KEYS: scratch },
    });

  it.each([
    ['over ssh', './over-ssh.sh', 'signer@keys.example.com', 'digest'],
    ['of a cloud', './cloud-kms.sh', 'alias/kernel-modules', 'digest'],
    ['with a client that makes the message', './signing-client.sh', 'kernel-modules', 'file'],
  ])(
    'writes the bytes of sign-file by the example for a service %s',
    async (_what, program, argument, input) => {
      await rm(path('out'), { recursive: true, force: true });

      const { exitCode, stderr } = await sign(
        ...['--command', program, '--command-arg', argument, '--command-input', input],
      );

      expect(stderr).toBe(input === 'file' ? 'signing-client.sh | approved by the release team\n' : '');
      expect(exitCode).toBe(0);
      expect((await output()).equals(await readFile(path('theirs.sha256.ko')))).toBe(true);
    },
  );

  it('writes the bytes of sign-file by openssl itself', async () => {
    const args = ['pkeyutl', '-sign', '-inkey', 'rsa.key', '-pkeyopt', 'digest:sha256'];

    const { exitCode } = await sign('--command', 'openssl', ...args.map((word) => `--command-arg=${word}`));

    expect(exitCode).toBe(0);
    expect((await output()).equals(await readFile(path('theirs.sha256.ko')))).toBe(true);
  });

  it('refuses what openssl cms makes when it is not told to leave attributes out', async () => {
    const args = ['cms', '-sign', '-binary', '-nocerts', '-md', 'sha256', '-outform', 'DER'];
    const keys = ['-signer', 'rsa.pem', '-inkey', 'rsa.key'];

    const { exitCode, stderr } = await sign(
      ...['--command', 'openssl', '--command-input', 'file'],
      ...[...args, ...keys].map((word) => `--command-arg=${word}`),
    );

    expect(exitCode).toBe(7);
    expect(stderr).toContain('it signs attributes, too, which kernels refuse');
  });
});

describe('signModuleByAll()', () => {
  it('writes for two RSA keys the message of openssl cms with two signers', async () => {
    await writeSpec(['rsa', 'rsa2'], 'sha256');
    await runCli(['sign', '-f', 'spec.yaml', '--output-dir', 'out', fixture], { cwd: scratch });
    const form = ['-binary', '-noattr', '-nocerts', '-nosmimecap', '-md', 'sha256', '-outform', 'DER'];
    const keys = ['rsa', 'rsa2'].flatMap((name) => [
      '-signer',
      path(`${name}.pem`),
      '-inkey',
      path(`${name}.key`),
    ]);
    await run('openssl', ['cms', '-sign', ...form, ...keys, '-in', fixture, '-out', path('two.cms')]);

    const { cms } = splitSignature(await output());

    expect(cms?.equals(await readFile(path('two.cms')))).toBe(true);
  });

  it.each([
    ['rsa', 'rsa2'],
    ['rsa', 'ec'],
  ])(
    'signs with %s and %s what openssl verifies for both, and for none when it is changed',
    async (...names) => {
      await writeSpec(names, 'sha384');
      const { exitCode } = await runCli(['sign', '-f', 'spec.yaml', '--output-dir', 'out', fixture], {
        cwd: scratch,
      });

      expect(exitCode).toBe(0);
      await expect(opensslVerify(names)).resolves.toMatchObject({ stderr: /successful/ });
      await expect(opensslVerify(names, 'tampered')).rejects.toThrow(/failure/i);
      const { stdout } = await run('modinfo', ['-F', 'sig_hashalgo', path('out/kl_consumer.ko')]);
      expect(stdout.trim()).toBe('sha384');
    },
  );

  it('puts the part of a program and of a token into one message', async () => {
    const token =
      '{ key: "pkcs11:token=signing;object=key%20rsa2", certificate: rsa2.pem, pin: { file: pin } }';
    const args = ['cms', '-sign', '-binary', '-noattr', '-nocerts', '-nosmimecap', '-outform', 'DER'];
    const program = JSON.stringify(['openssl', ...args, '-signer', 'rsa.pem', '-inkey', 'rsa.key']);
    await writeSpecWith([`{ command: ${program}, input: file, certificate: rsa.pem }`, token]);

    const { exitCode } = await runCli(['sign', '-f', 'spec.yaml', '--output-dir', 'out', fixture], {
      cwd: scratch,
      env: { SOFTHSM2_CONF: path('softhsm2.conf'), PKCS11_MODULE_PATH: LIBRARY },
    });

    expect(exitCode).toBe(0);
    await expect(opensslVerify(['rsa', 'rsa2'])).resolves.toMatchObject({ stderr: /successful/ });
  });
});

function writeSpec(names: readonly string[], hash: string): Promise<void> {
  return writeSpecWith(names.map((name) => `{ key: ${name}.key, certificate: ${name}.pem, hash: ${hash} }`));
}

async function writeSpecWith(signers: readonly string[]): Promise<void> {
  const minimal = await readFile('fixtures/specs/minimal.yaml', 'utf8');
  await writeFile(
    path('spec.yaml'),
    `${minimal}\nsign:\n${signers.map((entry) => `  - ${entry}\n`).join('')}`,
  );
}

/** What openssl says of the message that was written, for the certificates of all who signed. */
async function opensslVerify(
  names: readonly string[],
  how: 'as-it-is' | 'tampered' = 'as-it-is',
): Promise<{ stdout: string; stderr: string }> {
  const { module, cms } = splitSignature(await output());
  await writeFile(path('message'), cms ?? '');
  await writeFile(path('content'), how === 'tampered' ? Buffer.concat([module, Buffer.from('x')]) : module);
  const certificates = await Promise.all(names.map((name) => readFile(path(`${name}.pem`), 'utf8')));
  await writeFile(path('certificates'), certificates.join(''));
  const files = ['-in', path('message'), '-content', path('content'), '-out', path('content.out')];
  return run('openssl', [
    ...['cms', '-verify', '-binary', '-noverify', '-inform', 'DER', '-certfile', path('certificates')],
    ...files,
  ]);
}
