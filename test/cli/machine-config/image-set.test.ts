import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeImageSetConfiguration } from '../../../src/manifests/image-set.ts';
import { type CliRun, runCli } from '../../support/cli.ts';
import { SPEC } from './spec.ts';

const RELEASE = resolve('fixtures/quickstart/release');
let cwd = '';

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  await writeFile(join(cwd, 'plain.yaml'), SPEC.replace('[4.18.4]', '[4.18.4], arches: [aarch64]'));
  await writeFile(join(cwd, 'range.yaml'), SPEC.replace('4.18.4', '4.18.x'));
  await writeFile(join(cwd, 'a.ko'), 'a');
  await writeFile(
    join(cwd, 'locked.yaml'),
    `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: a }
targets: { releases: ['oci:${RELEASE}:4.18.4'] }
drivers: [{ name: a, version: '1', source: { files: [a.ko] }, modules: [{ name: a }] }]
publish: { osImage: quay.example.com/acme/a }
`,
  );
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

const imageSet = (...argv: readonly string[]): Promise<CliRun> =>
  runCli(['machine-config', 'image-set', ...argv], { cwd });

describe('kmodlayer machine-config image-set', () => {
  it('prints what the library makes of the releases of a spec', async () => {
    const { exitCode, stdout, stderr } = await imageSet('-f', 'plain.yaml', '--channel', 'fast');

    expect([exitCode, stderr]).toEqual([0, '']);
    expect(parse(stdout)).toEqual(
      makeImageSetConfiguration({
        releases: [{ version: '4.18.4', channel: 'fast-4.18' }],
        arches: ['aarch64'],
      }),
    );
  });

  it('takes releases from the lock file of a spec, which must be of that spec', async () => {
    expect(await imageSet('-f', 'locked.yaml')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('kmodlayer lock') as string,
    });
    expect(await runCli(['lock', '-f', 'locked.yaml'], { cwd })).toMatchObject({ exitCode: 0 });

    const { exitCode, stdout } = await imageSet('-f', 'locked.yaml');

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(makeImageSetConfiguration({ releases: [{ version: '4.18.4' }] }));
    await writeFile(join(cwd, 'plain.lock.yaml'), `apiVersion: kmodlayer/v1\nkind: Lock\n`);
    expect(await imageSet('-f', 'plain.yaml')).toMatchObject({ exitCode: 2 });
  });

  it('warns of what oc-mirror takes besides', async () => {
    expect(await imageSet('4.18.4', '4.18.6')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('between 4.18.4 and 4.18.6') as string,
    });
    expect(await imageSet('4.18.4', '4.18.5', '4.19.1')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it.each([
    [['-f', 'range.yaml'], 'kmodlayer lock'],
    [['-f', 'plain.yaml', '4.18.5'], '--release'],
    [['-f', 'plain.yaml', '--arch', 'x86_64'], '--arch'],
    [['4.18.4', '--image', 'quay.io/acme/a'], '--image'],
    [['4.18.x'], 'RELEASE'],
    [[], 'RELEASE'],
  ])('refuses %j, naming %s', async (argv, text) => {
    const { exitCode, stderr } = await imageSet(...argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });
});
