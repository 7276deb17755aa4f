import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { makeBootModuleConfig } from '../../../src/manifests/boot-module-config.ts';
import { makeDay1MachineConfig } from '../../../src/manifests/day1/produce.ts';
import { toYaml } from '../../../src/manifests/yaml.ts';
import { runCli } from '../../support/cli.ts';

const EXAMPLES = resolve('fixtures/manifests');
const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.sh'));

describe('Examples of docs/manifests.md', () => {
  it.each(names)('%s prints what stands beside it: npm test -- -u', async (name) => {
    const text = await readFile(join(EXAMPLES, name), 'utf8');
    const commands = text
      .replaceAll(/\\\n/g, ' ')
      .trim()
      .split(/\s*\|\s*/);

    let stdin = '';
    for (const command of commands) {
      const [program, ...argv] = command.split(/\s+/);
      const run = await runCli(argv, { stdin });
      expect([program, run.exitCode, run.stderr]).toEqual(['kmodlayer', 0, '']);
      stdin = run.stdout;
    }

    await expect(stdin).toMatchFileSnapshot(join(EXAMPLES, name.replace(/\.sh$/, '.yaml')));
  });

  it('all stand in it', async () => {
    const page = await readFile('docs/manifests.md', 'utf8');

    // Long, and at length in docs/day1.md.
    for (const name of names.filter((one) => one !== 'day1.sh')) {
      expect(page).toContain(`fixtures/manifests/${name}\n`);
      expect(page).toContain(`fixtures/manifests/${name.replace(/\.sh$/, '.yaml')}\n`);
    }
  });
});

describe('A BootModuleConfig', () => {
  const { namespace, ...day1 } = {
    ...{ name: '99-worker-ice', namespace: 'kmm', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' },
    replaces: ['irdma'],
  };
  let cwd = '';

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
    const one = makeBootModuleConfig({ ...day1, namespace });
    const other = makeBootModuleConfig({ ...day1, name: '99-other', namespace });
    await writeFile(join(cwd, 'bmc.yaml'), toYaml([one, other]));
    await writeFile(
      join(cwd, 'bad.yaml'),
      toYaml([one]).replace('kernelModuleName: ice', 'kernelModuleName: a b'),
    );
  });

  afterAll(() => rm(cwd, { recursive: true, force: true }));

  it('becomes a MachineConfig of Day 1, with any loader', async () => {
    const { exitCode, stdout } = await runCli(
      ['machine-config', 'day1', '-f', 'bmc.yaml', '--loader', 'kmm', '--no-proxy'],
      { cwd },
    );

    expect(exitCode).toBe(0);
    expect(parseAllDocuments(stdout).map((document) => document.toJS() as unknown)).toEqual(
      ['99-worker-ice', '99-other'].map((name) =>
        makeDay1MachineConfig({ ...day1, name, loader: 'kmm', proxy: false }),
      ),
    );
  });

  it('is refused where it says what no node can have', async () => {
    const { exitCode, stderr } = await runCli(['machine-config', 'day1', '-f', 'bad.yaml'], { cwd });

    expect(exitCode).toBe(2);
    expect(stderr).toContain('spec.kernelModuleName');
  });
});

describe('kmodlayer machine-config butane', () => {
  it.each([
    ['', '4.18', 'no objects'],
    ['kind: A\n---\nkind: B\n', '4.18', '2 MachineConfigs'],
    [
      toYaml([makeDay1MachineConfig({ name: 'a', pool: 'b', image: 'quay.io/c/d', module: 'e' })]),
      '5',
      '--openshift',
    ],
    ['kind: MachineConfig', '4.18', '--machine-config'],
  ])('refuses what it cannot write', async (stdin, openshift, text) => {
    const { exitCode, stderr } = await runCli(
      ['machine-config', 'butane', '--machine-config', '-', '--openshift', openshift],
      { stdin },
    );

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });

  it('prints JSON, too', async () => {
    const stdin = toYaml([
      makeDay1MachineConfig({ name: 'a', pool: 'b', image: 'quay.io/c/d', module: 'e' }),
    ]);
    const argv = ['machine-config', 'butane', '--machine-config', '-', '--openshift', '4.19', '-o', 'json'];
    const { stdout } = await runCli(argv, { stdin });

    expect(parse(stdout)).toMatchObject({ variant: 'openshift', version: '4.19.0', metadata: { name: 'a' } });
  });
});
