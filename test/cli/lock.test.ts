import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';

const QUICKSTART = resolve('fixtures/quickstart');

let directory = '';
let spec = '';
let lockFile = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-lock-'));
  spec = join(directory, 'kmodlayer.yaml');
  lockFile = join(directory, 'kmodlayer.lock.yaml');
  await writeFile(join(directory, 'kl_base.ko'), await readFile(join(QUICKSTART, 'modules/kl_base.ko')));
  await writeSpec(`'oci:${QUICKSTART}/release:4.18.4'`);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function writeSpec(releases: string): Promise<void> {
  return writeFile(
    spec,
    `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: [${releases}] }
drivers:
  - { name: hello, version: 1.0.0, source: { files: [kl_base.ko] }, modules: [{ name: kl_base }] }
publish: { osImage: 'oci:${directory}/out' }
`,
  );
}

const lock = (...args: string[]) => runCli(['lock', '-f', spec, ...args]);

describe('kmodlayer lock', () => {
  it('writes the lock file beside the spec, and the same bytes when nothing has moved', async () => {
    const first = await lock();
    const text = await readFile(lockFile, 'utf8');
    const second = await lock('-o', 'json');

    expect(first).toMatchObject({ exitCode: 0 });
    expect(first.stdout).toContain('1 target, 1 kernel, 1 driver');
    expect(parse(text)).toMatchObject({
      apiVersion: 'kmodlayer/v1',
      kind: 'Lock',
      targets: [{ release: '4.18.4', arch: 'x86_64', stream: 'rhel-9', kernel: '6.1.0-56-amd64' }],
      drivers: [{ name: 'hello', type: 'files' }],
    });
    expect(JSON.parse(second.stdout)).toMatchObject({
      schema: 'kmodlayer/lock/v1',
      wasThere: true,
      changes: [],
    });
    expect(await readFile(lockFile, 'utf8')).toBe(text);
  });

  it('--check ends with 1 and says what has moved', async () => {
    await lock();
    expect(await lock('--check')).toMatchObject({ exitCode: 0 });
    await writeFile(join(directory, 'kl_base.ko'), 'another');

    const { exitCode, stdout } = await lock('--check', '-o', 'json');

    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'kmodlayer/lock/v1',
      isCurrent: false,
      changes: [{ kind: 'source-moved', what: 'hello' }],
    });
  });

  it('build goes by it, and refuses it when it is of another spec or damaged, or its sources have changed', async () => {
    await lock();
    const build = (...args: string[]) => runCli(['build', '-f', spec, '--dry-run', ...args]);
    expect(await build()).toMatchObject({ exitCode: 0 });

    await writeFile(join(directory, 'kl_base.ko'), 'another');
    expect(await build()).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('kmodlayer lock') as string,
    });

    await writeSpec(`'oci:${QUICKSTART}/release'`);
    expect(await build()).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('it answers other releases or sources than this spec names') as string,
    });
    expect(await build('--no-lock')).toMatchObject({ exitCode: 0 });

    await writeFile(lockFile, '<<<<<<< HEAD\n');
    expect(await build()).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('merge') as string });
    expect(await lock()).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ['--verify-release', 'require'],
    ['--release-keys', 'keys.asc'],
    ['--release-signatures', 'https://example.com/signatures'],
  ])('build does not say that it verified releases of a lock file: %s %s', async (...flags) => {
    await lock();

    expect(await runCli(['build', '-f', spec, '--dry-run', ...flags])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('pass --no-lock') as string,
    });
  });

  it.each([
    [['--check'], 2, 'there is no such file'],
    [['--update', '4.18.x'], 2, 'there is no such file'],
    [['--update', 'banana'], 2, 'banana'],
    [['--update', '4.18.x', '--check'], 2, 'cannot be used with'],
  ])('%s without a lock file ends with %i', async (args, exitCode, message) => {
    const run = await lock(...args);

    expect(run.exitCode).toBe(exitCode);
    expect(run.stderr).toContain(message);
  });
});
