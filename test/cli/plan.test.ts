import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli, type CliRun } from '../support/cli.ts';

const QUICKSTART = resolve('fixtures/quickstart');
const KERNEL = '6.1.0-56-amd64';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function kmodlayer(argv: readonly string[], change = (text: string): string => text): Promise<CliRun> {
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
    modules: [{ name: kl_base }, { name: kl_hello }]
sign: [{ key: "file:${QUICKSTART}/keys/TEST-ONLY.key", certificate: "${QUICKSTART}/keys/TEST-ONLY.der" }]
publish: { osImage: "oci:${directory}/out" }
`;
  await writeFile(join(directory, 'kmodlayer.yaml'), change(spec));
  return runCli(argv, { cwd: directory });
}

describe('kmodlayer plan', () => {
  it('says what a build would do and changes nothing; after the build, what is there', async () => {
    const before = await kmodlayer(['plan']);
    const files = await readdir(directory);
    await kmodlayer(['build', '--quiet']);
    const after = await kmodlayer(['plan']);

    expect(before.exitCode).toBe(0);
    expect(before.stdout).toContain(`${KERNEL} (x86_64, default)\n`);
    expect(before.stdout).toMatch(/^ {2}hello 1\.0\.0 +compile +needed by 4\.18\.4 x86_64 rhel-9$/m);
    expect(before.stdout).toMatch(/\n1 kernel: 1 compile, 1 image to build, 0 to reuse\n$/);
    expect(files).toEqual(['kmodlayer.yaml']);
    expect(after.stdout).toMatch(
      /^ {2}4\.18\.4 x86_64 rhel-9 +reuse +it is there with the same inputs, and its signatures hold$/m,
    );
    expect(after.stdout).toMatch(/\n1 kernel: 0 compiles, 0 images to build, 1 to reuse\n$/);
  });

  it('has a schema for programs, with which build agrees', async () => {
    const planned = await kmodlayer(['plan', '-o', 'json']);
    const dry = await kmodlayer(['build', '--dry-run', '-o', 'json']);
    const built = await kmodlayer(['build', '-o', 'json']);
    const again = await kmodlayer(['plan', '-o', 'json']);

    const json = JSON.parse(planned.stdout) as Record<string, unknown>;
    expect(json).toMatchObject({
      schema: 'kmodlayer/plan/v1',
      name: 'hello',
      isLookedUp: true,
      summary: { kernels: 1, compile: 1, build: 1, reuse: 0, blocked: 0 },
      matrix: { jobs: 1, kernels: 1, kernelsInAJob: 1 },
      compiles: [{ id: `hello for ${KERNEL}`, action: 'compile', source: { type: 'files' } }],
      images: [{ id: '4.18.4 x86_64 rhel-9', action: 'build', compiles: [`hello for ${KERNEL}`] }],
      kmodImages: [],
      failures: [],
    });
    expect(JSON.parse(dry.stdout)).toEqual({ ...json, schema: 'kmodlayer/build/v1', isDryRun: true });
    const [image] = (JSON.parse(built.stdout) as { images: readonly Record<string, unknown>[] }).images;
    const [plannedImage] = json['images'] as readonly Record<string, unknown>[];
    expect(image).toMatchObject({ tag: plannedImage?.['tag'], inputHash: plannedImage?.['inputHash'] });
    expect(JSON.parse(again.stdout)).toMatchObject({
      images: [{ action: 'reuse', image: image?.['image'] }],
      matrix: { jobs: 0 },
    });
  });

  it('gives a matrix that is one line, of what is not there yet', async () => {
    const { exitCode, stdout } = await kmodlayer(['plan', '-o', 'matrix']);
    await kmodlayer(['build', '--quiet']);
    const after = await kmodlayer(['plan', '-o', 'matrix']);

    expect(exitCode).toBe(0);
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(JSON.parse(stdout)).toEqual({
      include: [
        {
          name: KERNEL,
          only: `arch=x86_64,kernel=${KERNEL}`,
          arch: 'x86_64',
          kernels: [KERNEL],
          compiles: 1,
          images: 1,
          kmodImages: 0,
        },
      ],
    });
    expect(after.stdout).toBe('{"include":[]}\n');
  });

  it('gives a table for release notes', async () => {
    const { stdout } = await kmodlayer(['plan', '--offline', '-o', 'markdown']);

    expect(stdout).toContain(
      '| Kernel | Architecture | RHEL | OpenShift | hello |\n| --- | --- | --- | --- | --- |\n',
    );
    expect(stdout).toMatch(/^\| `6\.1\.0-56-amd64` \| x86_64 \| [0-9.]* \| 4\.18\.4 \| 1\.0\.0 \|$/m);
  });

  it('says what is blocked and why, prints the rest, and ends as the build would', async () => {
    const { exitCode, stdout, stderr } = await kmodlayer(['plan', '-o', 'json'], (text) =>
      text.replace('releases: [', `releases: ["oci:${directory}/nowhere:1", `),
    );

    expect(exitCode).toBe(9);
    expect(JSON.parse(stdout)).toMatchObject({
      summary: { compile: 1, blocked: 1 },
      failures: [{ what: `oci:${directory}/nowhere:1`, code: 'NOT_FOUND' }],
    });
    expect(stderr).toContain('error: Cannot finish 1 of 2 targets');
  });

  it('plans kernels that the extensions bring, each with a kmod image', async () => {
    const { exitCode, stdout } = await kmodlayer(['plan', '-o', 'json'], (text) =>
      text
        .replace('releases:', 'kernels: [default, rt]\n  releases:')
        .replace('osImage:', `kmodImage: "oci:${directory}/kmods", osImage:`),
    );

    expect(exitCode).toBe(0);
    const { kmodImages } = JSON.parse(stdout) as { kmodImages: readonly object[] };
    expect(kmodImages).toMatchObject([
      { flavour: 'default', kernel: KERNEL, action: 'build', targets: ['4.18.4 x86_64 rhel-9'] },
      { flavour: 'rt', action: 'build' },
    ]);
  });

  it('says where modules of other kernels go', async () => {
    const { exitCode, stderr } = await kmodlayer(['plan'], (text) =>
      text.replace('releases:', 'kernels: [default, rt]\n  releases:'),
    );

    expect(exitCode).toBe(2);
    expect(stderr).toContain('set publish.kmodImage');
  });

  it('refuses a file that two drivers ship, before anything is compiled', async () => {
    await writeFile(join(directory, 'fw.bin'), 'x');
    const { exitCode, stderr } = await kmodlayer(['plan'], (text) =>
      text
        .replace(
          'modules: [{ name: kl_base }, { name: kl_hello }]',
          'modules: [{ name: kl_base }]\n    firmware: .',
        )
        .replace(
          'sign:',
          `  - name: other
    version: "1"
    source: { files: ["${QUICKSTART}/modules/kl_hello.ko"] }
    modules: [{ name: kl_hello }]
    firmware: .
sign:`,
        ),
    );

    expect(stderr).toContain('twice: the drivers hello and other both have it');
    expect(exitCode).toBe(6);
  });
});
