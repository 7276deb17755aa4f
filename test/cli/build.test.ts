import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli, type CliRun } from '../support/cli.ts';

const QUICKSTART = resolve('fixtures/quickstart');
const MISTAKES = resolve('fixtures/specs/five-mistakes.yaml');

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Writes a spec that brings its modules along, and runs `build` beside it. */
async function build(argv: readonly string[], change = (text: string): string => text): Promise<CliRun> {
  const spec = `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets:
  releases: ["oci:${QUICKSTART}/release:4.18.4"]
drivers:
  - name: hello
    version: 1.0.0
    source: { files: ["${QUICKSTART}/modules/kl_base.ko", "${QUICKSTART}/modules/kl_hello.ko"] }
    modules: [{ name: kl_base }, { name: kl_hello, autoload: true }]
sign: [{ key: "file:${QUICKSTART}/keys/TEST-ONLY.key", certificate: "${QUICKSTART}/keys/TEST-ONLY.der" }]
publish: { osImage: "oci:${directory}/out" }
`;
  await writeFile(join(directory, 'kmodlayer.yaml'), change(spec));
  return runCli(['build', ...argv], { cwd: directory });
}

describe('kmodlayer build', () => {
  it('builds without the key of the spec, and for a layout only, when the key is thrown away', async () => {
    const toRegistry = (spec: string): string =>
      spec.replace(/osImage: .*/, 'osImage: quay.example.com/acme/os }').replace('TEST-ONLY.key', 'lost.key');

    const { exitCode, stdout, stderr } = await build(
      ['--throw-away-key', 'oci:pr', '-o', 'json'],
      toRegistry,
    );
    const refused = await build(['--throw-away-key', 'quay.example.com/acme/pr'], toRegistry);

    expect(exitCode).toBe(0);
    expect(stderr).toContain('what is built cannot be published');
    expect(JSON.parse(stdout)).toMatchObject({
      images: [
        {
          image: expect.stringContaining(`oci:${directory}/pr@sha256:`) as unknown,
          signers: [{ subject: 'kmodlayer throw-away key, never enrol' }],
          manifests: [],
        },
      ],
    });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('it is no layout');
  });

  it('prints what it made, and inspect shows the same image', async () => {
    const { exitCode, stdout, stderr } = await build(['-o', 'json']);

    expect(stderr).not.toContain('error');
    expect(exitCode).toBe(0);
    const result = JSON.parse(stdout) as { images: { image: string }[] };
    expect(result).toMatchObject({
      schema: 'kmodlayer/build/v1',
      isDryRun: false,
      images: [
        {
          id: '4.18.4 x86_64 rhel-9',
          image: expect.stringMatching(/\/out@sha256:[0-9a-f]{64}$/) as unknown,
          wasThere: false,
          drivers: [{ name: 'hello', version: '1.0.0' }],
          signers: [{ hash: 'sha256' }],
        },
      ],
      failures: [],
    });
    const inspected = await runCli(['inspect', result.images[0]!.image]);
    expect(inspected.stdout).toMatch(/[+?] kl_hello\.ko +\S.* kl_hello 1\.0\.0, signed by /);
    expect(inspected.stdout).toMatch(/modules\/6\.1\.0-56-amd64\//);
  });

  it('says for people what it made', async () => {
    const { stdout } = await build([]);

    expect(stdout).toMatch(/^4\.18\.4 x86_64 rhel-9\n {2}image +oci:.*@sha256:/);
    expect(stdout).toMatch(/^ {2}driver hello +1\.0\.0: kl_base, kl_hello$/m);
    expect(stdout).toMatch(/^ {2}signed by +\S/m);
  });

  it('changes nothing with --dry-run', async () => {
    const { exitCode, stdout } = await build(['--dry-run']);

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^6\.1\.0-56-amd64 \(x86_64, default\)$/m);
    expect(stdout).toMatch(/^ {2}hello 1\.0\.0 +compile +needed by 4\.18\.4 x86_64 rhel-9$/m);
    expect(stdout).toMatch(/^ {2}4\.18\.4 x86_64 rhel-9 +build +there is no image with its tag$/m);
    expect(await readdir(directory)).toEqual(['kmodlayer.yaml']);
  });

  it('finishes what it can with --keep-going and ends with 9', async () => {
    const { exitCode, stdout, stderr } = await build(['--keep-going', '-o', 'json'], (text) =>
      text.replace('releases: [', `releases: ["oci:${directory}/nowhere:1", `),
    );

    expect(exitCode).toBe(9);
    expect(JSON.parse(stdout)).toMatchObject({
      images: [{}],
      failures: [{ what: expect.any(String) as unknown }],
    });
    expect(stderr).toContain('error: Cannot finish 1 of 2 targets');
  });

  it('prints what is done when another unit fails, and how it ends says whether it was to keep going', async () => {
    const toNowhere = (spec: string): string =>
      spec.replace(
        /publish: .*/,
        `publish: { osImage: "oci:${directory}/out", kmodImage: "oci:/dev/null/kmod" }`,
      );

    const stopped = await build(['-o', 'json', '--events', 'events.ndjson'], toNowhere);
    const kept = await build(['-o', 'json', '--keep-going'], toNowhere);
    const events = await build(['--events', '-']);

    expect([stopped.exitCode, kept.exitCode]).toEqual([8, 9]);
    for (const { stdout } of [stopped, kept]) {
      expect(JSON.parse(stdout)).toMatchObject({
        images: [{ id: '4.18.4 x86_64 rhel-9' }],
        failures: [{ what: 'kmod image for 6.1.0-56-amd64', code: 'STORAGE_FAILED' }],
        notBegun: [],
      });
    }
    expect(kept.stderr).toContain('error: Cannot finish 1 of 2 targets');
    const lines = (await readFile(join(directory, 'events.ndjson'), 'utf8')).trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      schema: 'kmodlayer/events/v1',
      type: 'build-finished',
      images: [{ unit: '4.18.4 x86_64 rhel-9', wasThere: false }],
      failures: [{ what: 'kmod image for 6.1.0-56-amd64' }],
    });
    expect(events.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('{"schema":'))).toEqual(
      [],
    );
  });

  it('writes the proof to look at, for code scanning and for programs', async () => {
    const reports = ['proof.html', 'out/proof.sarif', 'proof.json'];
    const { exitCode } = await build(reports.flatMap((file) => ['--report', file]));
    const [html, sarif, json] = await Promise.all(
      reports.map((file) => readFile(join(directory, file), 'utf8')),
    );

    expect(exitCode).toBe(0);
    expect(html).toContain('<title>4.18.4 x86_64 passes – kmodlayer build</title>');
    expect(JSON.parse(sarif!)).toMatchObject({
      version: '2.1.0',
      runs: [{ automationDetails: { id: 'kmodlayer/build/' }, properties: { verdict: 'passes' } }],
    });
    expect(JSON.parse(json!)).toMatchObject({
      schema: 'kmodlayer/verify/v1',
      verdict: 'passes',
      targets: [{ release: '4.18.4', modules: [{ name: 'kl_base' }, { name: 'kl_hello' }] }],
    });
  });

  it('writes the proof of what it does not push', async () => {
    const { exitCode, stdout } = await build(['--report', 'proof.html', '--report', 'proof.sarif'], (text) =>
      text.replace(`"${QUICKSTART}/modules/kl_base.ko", `, '').replace('{ name: kl_base }, ', ''),
    );
    const sarif = await readFile(join(directory, 'proof.sarif'), 'utf8');

    expect(exitCode).toBe(6);
    expect(stdout).toBe('');
    expect((await readdir(directory)).sort()).toEqual(['kmodlayer.yaml', 'proof.html', 'proof.sarif']);
    expect(await readFile(join(directory, 'proof.html'), 'utf8')).toContain(
      '<title>4.18.4 x86_64 fails – kmodlayer build</title>',
    );
    const { runs } = JSON.parse(sarif) as { runs: { results: { ruleId: string; level: string }[] }[] };
    expect(runs[0]!.results.filter(({ level }) => level === 'error').map(({ ruleId }) => ruleId)).toEqual([
      'symbols',
    ]);
  });

  it('names targets that it could not come to prove', async () => {
    await build(['--keep-going', '--report', 'proof.html'], (text) =>
      text.replace('releases: [', `releases: ["oci:${directory}/nowhere:1", `),
    );

    expect(await readFile(join(directory, 'proof.html'), 'utf8')).toContain(
      '<title>1 of 2 targets without a proof – kmodlayer build</title>',
    );
  });

  it('starts relative paths of a spec at its directory', async () => {
    await build([], (text) => text.replace(`oci:${directory}/out`, 'oci:out'));

    expect((await readdir(directory)).sort()).toEqual(['kmodlayer.yaml', 'out']);
  });

  it.each([
    [['--only', 'kernel=1.2.3'], 2, '--only leaves no target'],
    [['--only', 'driver=other'], 2, 'Cannot build: --only leaves no target'],
    [['--only', 'constructor=x'], 2, 'Cannot choose targets by "constructor=x"'],
    [
      ['--only', 'colour=red'],
      2,
      'Write KEY=VALUE with a key of driver, release, arch, stream, kernel, flavour.',
    ],
    [['--jobs', '0'], 2, 'Give a number from 1 to 64.'],
    [['--report', 'proof.pdf'], 2, 'Give a name that ends in .html, .sarif or .json.'],
    [['-f', 'nowhere.yaml'], 2, 'Cannot read nowhere.yaml: there is no such file'],
    [['-f', MISTAKES], 2, `${MISTAKES}:11: drivers[0].moduls: Unknown key "moduls"`],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stdout, stderr } = await build(argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
    expect(stdout).toBe('');
  });

  it('shows five mistakes of a spec with five hints', async () => {
    const { exitCode, stderr } = await build(['-f', MISTAKES]);

    expect(exitCode).toBe(2);
    expect(stderr.match(/^ {4}hint: /gm)).toHaveLength(5);
  });

  it('writes nothing when a module is missing', async () => {
    const { exitCode, stderr } = await build([], (text) =>
      text.replaceAll(`${QUICKSTART}/modules/kl_base.ko`, `${directory}/nowhere/kl_base.ko`),
    );

    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: Cannot');
    expect(await readdir(directory)).toEqual(['kmodlayer.yaml']);
  });
});
