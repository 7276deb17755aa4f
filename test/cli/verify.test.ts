import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { VerifyReport } from '../../src/verify/report.ts';
import { runCli } from '../support/cli.ts';
import { QUICKSTART_KERNEL, unpackQuickstart } from '../support/quickstart-root.ts';

const OS_IMAGE =
  'oci:fixtures/quickstart/release@sha256:fc207f7cc069fa3f351b713153e4c31f8cf1313132809f30e2d207b25cb7371b';
const DRIVER_TOOLKIT =
  'oci:fixtures/quickstart/release@sha256:c8e73aab988d4b3c346e586f5232ce7751286d1b25fd1fb1432ccc14427dc728';
const PROVIDER = 'fixtures/modules/kl_provider.sha256.ko';
const CONSUMER = 'fixtures/modules/kl_consumer.ko';

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-verify-'));
  await mkdir(join(scratch, 'root'));
  await unpackQuickstart(join(scratch, 'root'), (path) => path.startsWith('usr/lib/'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

describe('kmodlayer verify', () => {
  it('proves modules against an OS image', async () => {
    const { exitCode, stdout } = await runCli(['verify', '--base', OS_IMAGE, PROVIDER, CONSUMER]);

    expect(stdout).toContain(`${OS_IMAGE}  kernel ${QUICKSTART_KERNEL}  x86_64\n`);
    expect(stdout).toContain(
      'PASSES  passes every static check of load_module; init() and hardware not proven\n',
    );
    expect(stdout).toMatch(
      /^ {2}passes {2}kl_consumer {2}fixtures\/modules\/kl_consumer.ko; needs fixtures/m,
    );
    expect(exitCode).toBe(0);
  });

  it('proves modules against a directory, and ends with 1 when one would not load', async () => {
    const kernel = ['--kernel', QUICKSTART_KERNEL];
    const { exitCode, stdout } = await runCli([
      ...['verify', '--base', join(scratch, 'root'), ...kernel, CONSUMER],
    ]);

    expect(stdout).toMatch(/^FAILS {2}1 module would not load: kl_consumer$/m);
    expect(stdout).toMatch(/^ {4}fail symbols {2}/m);
    expect(exitCode).toBe(1);
  });

  it('proves modules of a directory where they are, and all of them when none is named', async () => {
    const argv = ['verify', '--base', join(scratch, 'root'), '--kernel', QUICKSTART_KERNEL, '-o', 'json'];
    const modules = join(scratch, 'root/usr/lib/modules', QUICKSTART_KERNEL);
    const read = ({ stdout }: { readonly stdout: string }): VerifyReport =>
      JSON.parse(stdout) as VerifyReport;
    const own = 'kernel/crypto/crc32c_generic.ko.xz';

    const all = await runCli(argv);
    const one = await runCli([...argv, join(modules, own), PROVIDER]);

    expect(all.exitCode).toBe(0);
    const [tree] = read(all).targets;
    expect(tree?.modules.map(({ path }) => path)).toContain(own);
    expect(tree?.modules.flatMap(({ checks }) => checks).filter(({ status }) => status === 'warn')).toEqual(
      [],
    );
    expect(tree?.overrides).toEqual([]);
    expect(read(one).targets[0]?.modules.map(({ path }) => path)).toEqual([own, PROVIDER]);
    expect(read(one).targets[0]?.overrides).toEqual([]);
  });

  it('shows what passes only when it is asked to', async () => {
    const argv = ['verify', '--base', OS_IMAGE, PROVIDER];

    expect((await runCli(argv)).stdout).not.toMatch(/^ {4}pass /m);
    expect((await runCli([...argv, '--verbose'])).stdout).toMatch(/^ {4}pass vermagic /m);
  });

  it('holds modules to the certificates that nodes trust', async () => {
    const argv = ['verify', '--base', OS_IMAGE, '--cert', 'fixtures/modules/test-only-rsa.pem'];

    expect((await runCli([...argv, PROVIDER])).exitCode).toBe(0);
    expect((await runCli([...argv, PROVIDER, CONSUMER])).exitCode).toBe(1);
  });

  it.each(['json', 'yaml'])('prints %s with a schema', async (format) => {
    const { stdout } = await runCli(['verify', '--base', OS_IMAGE, PROVIDER, '-o', format]);

    expect(parse(stdout)).toMatchObject({
      schema: 'kmodlayer/verify/v1',
      verdict: 'passes',
      targets: [
        {
          subject: OS_IMAGE,
          kernel: QUICKSTART_KERNEL,
          arch: 'x86_64',
          verdict: 'passes',
          modules: [{ name: 'kl_provider', path: PROVIDER, verdict: 'passes' }],
          findings: [],
        },
      ],
    });
  });

  it('writes HTML and SARIF to a file', async () => {
    const html = join(scratch, 'out/proof.html');
    const { exitCode, stdout } = await runCli([...['verify', OS_IMAGE, '-o', 'html', '--output-file', html]]);
    const sarif = await runCli(['verify', OS_IMAGE, '-o', 'sarif']);

    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(await readFile(html, 'utf8')).toMatch(/^<!doctype html>/i);
    expect(JSON.parse(sarif.stdout)).toMatchObject({ runs: [{ results: [{ ruleId: 'no-modules' }] }] });
  });

  it('writes the proof in several forms beside the result', async () => {
    const files = ['proof.html', 'proof.sarif', 'proof.json'].map((name) => join(scratch, 'reports', name));
    const argv = ['verify', '--base', OS_IMAGE, CONSUMER];
    const { exitCode, stdout } = await runCli([...argv, ...files.flatMap((file) => ['--report', file])]);
    const [html, sarif, json] = await Promise.all(files.map((file) => readFile(file, 'utf8')));

    expect(exitCode).toBe(1);
    expect(stdout).toContain('FAILS  1 module would not load: kl_consumer');
    expect(html).toMatch(/<title>release@fc207f7c… x86_64 fails – kmodlayer verify<\/title>/);
    expect(JSON.parse(sarif!)).toMatchObject({ runs: [{ automationDetails: { id: 'kmodlayer/verify/' } }] });
    expect(JSON.parse(json!)).toEqual(JSON.parse((await runCli([...argv, '-o', 'json'])).stdout));
  });

  it('has colours for people at a terminal who want them, and nobody else', async () => {
    const argv = ['verify', '--base', OS_IMAGE, PROVIDER];
    const file = join(scratch, 'proof.txt');
    const plain = await runCli(argv);
    await runCli([...argv, '--output-file', file], { isTty: true });

    expect(plain.stdout).not.toContain('\u001b');
    expect((await runCli(argv, { isTty: true })).stdout).toContain('\u001b[32mPASSES');
    expect((await runCli(argv, { isTty: true, env: { NO_COLOR: '1' } })).stdout).toBe(plain.stdout);
    expect(await readFile(file, 'utf8')).toBe(plain.stdout);
  });

  it.each([
    [[PROVIDER, OS_IMAGE], 2, 'Cannot verify images and modules in one command'],
    [[], 2, 'Cannot verify nothing'],
    [['--base', OS_IMAGE], 2, 'it is not a directory'],
    [[PROVIDER], 2, 'Cannot verify modules without the kernel that shall load them'],
    [[PROVIDER, '--base', '.'], 2, 'Cannot tell for which kernel of . the modules are'],
    [[PROVIDER, '--base', '.', '--kernel', '5.14.0-1.x86_64'], 2, 'it has no modules.dep for kernel'],
    [['module.bin', '--base', '.'], 2, 'Cannot verify module.bin against the directory .'],
    [['./nowhere.ko', '--base', OS_IMAGE], 2, 'Cannot read ./nowhere.ko'],
    [[PROVIDER, PROVIDER, '--base', OS_IMAGE], 6, 'both have one name'],
    [
      ['fixtures/modules/kl_provider.ko', 'fixtures/modules/kl_provider.ko.gz', '--base', OS_IMAGE],
      6,
      'both have one name',
    ],
    [[PROVIDER, '--base', OS_IMAGE, '--cert', 'fixtures/modules/README.md'], 7, 'error: Cannot'],
    [['oci:fixtures/quickstart/release:4.18.4'], 2, 'it is not an OS image'],
    [[OS_IMAGE, '--base', DRIVER_TOOLKIT], 2, 'hint: Name the image that it was built on.'],
  ])('%j ends with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await runCli(['verify', ...argv]);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });
});
