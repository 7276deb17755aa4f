import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { decompressModule, detectCompression } from '../../src/kmod/compression.ts';
import { runCli, type CliRun } from '../support/cli.ts';

const MODULES = resolve('fixtures/modules');
const KEY = ['--key', join(MODULES, 'test-only-rsa.key'), '--cert', join(MODULES, 'test-only-rsa.pem')];

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  for (const name of ['kl_provider.ko', 'kl_provider.ko.xz', 'kl_provider.ko.gz', 'kl_consumer.ko']) {
    await writeFile(join(directory, name), await readFile(join(MODULES, name)));
  }
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function sign(...argv: readonly string[]): Promise<CliRun> {
  return runCli(['sign', ...argv], { cwd: directory });
}

describe('kmodlayer sign', () => {
  it.each(['sha256', 'sha512'])('writes with %s what sign-file writes', async (hash) => {
    const { exitCode, stdout } = await sign(...KEY, '--hash', hash, '--output-dir', 'out', 'kl_provider.ko');

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^kl_provider\\.ko +.+ +${hash} +`, 'm'));
    expect(await readFile(join(directory, 'out/kl_provider.ko'))).toEqual(
      await readFile(join(MODULES, `kl_provider.${hash}.ko`)),
    );
  });

  it.each(['gz', 'xz', 'zst'])('keeps a module packed as %s under its name', async (compression) => {
    const name = `kl_provider.ko.${compression}`;
    await writeFile(join(directory, name), await readFile(join(MODULES, name)));

    const { exitCode, stderr } = await sign(...KEY, '--in-place', name);

    const packed = await readFile(join(directory, name));
    expect(exitCode).toBe(0);
    expect(stderr.includes('it is stored as xz, not compressed')).toBe(compression === 'xz');
    expect(detectCompression(packed)).toBe(compression);
    expect(await decompressModule(packed)).toEqual(await readFile(join(MODULES, 'kl_provider.sha256.ko')));
    expect((await sign('--check', ...KEY.slice(2), name)).exitCode).toBe(0);
    expect((await sign('--strip', '--output-dir', 'out', name)).exitCode).toBe(0);
    expect(await decompressModule(await readFile(join(directory, 'out', name)))).toEqual(
      await readFile(join(MODULES, 'kl_provider.ko')),
    );
  });

  it('strips again what it signed in place, packed modules included', async () => {
    await sign(...KEY, '--in-place', 'kl_provider.ko', 'kl_provider.ko.gz');

    const { exitCode, stdout } = await sign('--strip', '--in-place', 'kl_provider.ko', '-o', 'json');

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ modules: [{ hadSignature: true, signature: null }] });
    expect(await readFile(join(directory, 'kl_provider.ko'))).toEqual(
      await readFile(join(MODULES, 'kl_provider.ko')),
    );
    expect((await sign('--check', ...KEY.slice(2), 'kl_provider.ko.gz')).exitCode).toBe(0);
  });

  it('signs by a program, and shows what it says', async () => {
    const script = `#!/bin/sh
echo "signing $KMODLAYER_MODULE with $1" >&2
exec "${process.execPath}" -e "process.stdout.write(require('crypto').sign('sha256',require('fs').readFileSync(0),require('fs').readFileSync('${join(MODULES, 'test-only-rsa.key')}')))"
`;
    await writeFile(join(directory, 'sign.sh'), script, { mode: 0o755 });
    const command = ['--command', './sign.sh', '--command-arg', '--key', '--command-input', 'file'];

    const { exitCode, stderr } = await sign(
      ...command,
      ...KEY.slice(2),
      '--output-dir',
      'out',
      'kl_provider.ko',
    );

    expect(stderr).toContain('sign.sh | signing kl_provider with --key\n');
    expect(exitCode).toBe(0);
    expect(await readFile(join(directory, 'out/kl_provider.ko'))).toEqual(
      await readFile(join(MODULES, 'kl_provider.sha256.ko')),
    );
  });

  it('signs as a spec says, for two signers, and checks for either', async () => {
    const { publish, ...spec } = parse(await readFile('fixtures/specs/minimal.yaml', 'utf8')) as {
      publish: unknown;
    };
    const [rsa, ec] = ['test-only-rsa', 'test-only-ec'].map((name) => join(MODULES, name));
    const signers = [rsa, ec].map((path) => ({ key: `${path}.key`, certificate: `${path}.pem` }));
    await writeFile(join(directory, 'spec.yaml'), stringify({ ...spec, sign: signers, publish }));

    const { exitCode, stdout } = await sign('-f', 'spec.yaml', '--in-place', 'kl_provider.ko', '-o', 'json');

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ modules: [{ signature: { signers: { length: 2 } } }] });
    for (const certificate of [
      ['--cert', `${rsa}.pem`],
      ['--cert', `${ec}.pem`],
      ['-f', 'spec.yaml'],
    ]) {
      expect((await sign('--check', ...certificate, 'kl_provider.ko')).exitCode).toBe(0);
    }
  });

  it('says of each module what is wrong with its signature, and ends with 1', async () => {
    await sign(...KEY, '--in-place', 'kl_provider.ko');
    const signed = await readFile(join(directory, 'kl_provider.ko'));
    await writeFile(join(directory, 'tampered.ko'), Buffer.from(signed).fill(1, 1000, 1010));
    await writeFile(
      join(directory, 'malformed.ko'),
      Buffer.from(signed).fill(1, signed.length - 35, signed.length - 34),
    );
    await writeFile(
      join(directory, 'cut.ko.xz'),
      (await readFile(join(MODULES, 'kl_provider.ko.xz'))).subarray(0, 100),
    );
    await writeFile(join(directory, 'other.ko'), await readFile(join(MODULES, 'kl_provider.ec.ko')));
    const names = [
      'kl_provider.ko',
      'kl_consumer.ko',
      'other.ko',
      'tampered.ko',
      'malformed.ko',
      'cut.ko.xz',
    ];

    const { exitCode, stdout } = await sign('--check', ...KEY.slice(2), ...names);
    const json = await sign('--check', ...KEY.slice(2), ...names, '-o', 'json');

    const rsa = 'Test only, trust nowhere E1:D2:C3:B4:A5:96:87:78 +sha256';
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(new RegExp(`^kl_provider\\.ko +valid +${rsa}$`, 'm'));
    expect(stdout).toMatch(/^kl_consumer\.ko +unsigned$/m);
    expect(stdout).toMatch(/^other\.ko +unknown-key +Test only EC, trust nowhere [0-9A-F:]+ +sha256$/m);
    expect(stdout).toMatch(new RegExp(`^tampered\\.ko +tampered +${rsa} +it was made for other bytes`, 'm'));
    expect(stdout).toMatch(/^malformed\.ko +malformed +Cannot read the signature of a module: fields/m);
    expect(stdout).toMatch(/^cut\.ko\.xz +unreadable +Cannot decompress/m);
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      checks: [
        { status: 'valid', why: null, signature: { signers: [{ hash: 'sha256' }] } },
        { status: 'unsigned', signature: null },
        { status: 'unknown-key' },
        { status: 'tampered' },
        { status: 'malformed', signature: null },
        { status: 'unreadable', signature: null },
      ],
    });
  });

  it('strips a malformed signature only when it is told to cut', async () => {
    const plain = await readFile(join(MODULES, 'kl_provider.ko'));
    const signed = await readFile(join(MODULES, 'kl_provider.sha256.ko'));
    await writeFile(join(directory, 'bad.ko'), signed.fill(0xff, signed.length - 32, signed.length - 28));

    const refused = await sign('--strip', '--in-place', 'bad.ko');
    const forced = await sign('--strip', '--force', '--in-place', 'bad.ko');

    expect(refused.exitCode).toBe(7);
    expect(refused.stderr).toContain('"kmodlayer sign --strip --force"');
    expect(forced.exitCode).toBe(0);
    expect(await readFile(join(directory, 'bad.ko'))).toEqual(plain);
  });

  it('writes nothing when one of the files is no module', async () => {
    await writeFile(join(directory, 'bad.ko'), 'text');

    const { exitCode, stderr } = await sign(...KEY, '--output-dir', 'out', 'kl_provider.ko', 'bad.ko');

    expect(exitCode).toBe(7);
    expect(stderr).toContain('error: bad.ko: Cannot sign');
    expect(await readdir(directory)).not.toContain('out');
  });

  it.each([
    [[...KEY, 'kl_provider.ko'], 2, 'nowhere to write to'],
    [['--in-place', 'kl_provider.ko'], 2, 'Cannot sign: no key'],
    [[...KEY, '--output-dir', 'out', 'kl_provider.ko', './kl_provider.ko'], 2, 'two files would be'],
    [[...KEY, '--in-place', '--output-dir', 'out', 'kl_provider.ko'], 2, 'cannot be used with'],
    [['--check', 'kl_provider.ko'], 2, 'no certificate'],
    [['--key', 'pkcs11:a', '--cert', 'b', '--in-place', 'kl_provider.ko'], 2, 'PKCS#11 URI'],
    [['--key', 'k', '--in-place', 'kl_provider.ko'], 2, 'Cannot sign: no certificate'],
    [[...KEY, '--cert', 'b', '--in-place', 'kl_provider.ko'], 2, 'there are two certificates'],
    [[...KEY, '--command', 'a', '--in-place', 'kl_provider.ko'], 2, 'cannot be used with'],
    [[...KEY, '--pin-env', 'P', '--in-place', 'kl_provider.ko'], 2, '--pin-env does not go with this --key'],
    [[...KEY, '--command-timeout', '0', '--in-place', 'kl_provider.ko'], 2, 'Give a number from 1 to 3600'],
    [['--command', './nobody', ...KEY.slice(2), '--in-place', 'kl_provider.ko'], 7, 'Cannot run the signer'],
    [['--key', 'nowhere', '--cert', 'b', '--in-place', 'kl_provider.ko'], 7, 'Cannot read the private key'],
    [[...KEY, '--in-place', 'nowhere.ko'], 2, 'there is no such file'],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await sign(...argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });
});
