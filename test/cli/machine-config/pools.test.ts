import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { day1OptionsOf } from '../../../src/manifests/day1/from-set.ts';
import { makeDay1MachineConfig } from '../../../src/manifests/day1/produce.ts';
import { makeFirmwarePathMachineConfig } from '../../../src/manifests/firmware-path.ts';
import { makeMachineConfigPool } from '../../../src/manifests/machine-config-pool.ts';
import { makeNodeDisruptionPolicy } from '../../../src/manifests/node-disruption-policy.ts';
import { toYaml } from '../../../src/manifests/yaml.ts';
import { parseSpec } from '../../../src/spec/spec.ts';
import { type CliRun, runCli } from '../../support/cli.ts';
import { SPEC } from './spec.ts';

let cwd = '';

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  await writeFile(join(cwd, 'kmodlayer.yaml'), SPEC);
  await writeFile(join(cwd, 'worker.yaml'), SPEC.replace('[worker, worker-rt]', '[worker]'));
  await writeFile(join(cwd, 'plain.yaml'), SPEC.replace('    firmware: ./ddp\n', ''));
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

const machineConfig = (argv: readonly string[], stdin = ''): Promise<CliRun> =>
  runCli(['machine-config', ...argv], { cwd, stdin });

describe('kmodlayer machine-config pool', () => {
  it('prints what the library makes of the same options', async () => {
    const { exitCode, stdout } = await machineConfig([
      ...['pool', '--name', 'edge', '--node-selector', 'acme.com/edge=yes', '--node-selector', 'zone='],
      ...['--max-unavailable', '10%', '--paused', '--os-image-stream', 'rhel-10'],
    ]);

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(
      makeMachineConfigPool({
        name: 'edge',
        nodeSelector: { 'acme.com/edge': 'yes', zone: '' },
        maxUnavailable: '10%',
        paused: true,
        osImageStream: 'rhel-10',
      }),
    );
  });

  it('takes the pools of a spec that are not those of every cluster', async () => {
    const { stdout } = await machineConfig([
      'pool',
      '-f',
      'kmodlayer.yaml',
      '--max-unavailable',
      '2',
      '-o',
      'json',
    ]);

    expect(JSON.parse(stdout)).toEqual(makeMachineConfigPool({ name: 'worker-rt', maxUnavailable: 2 }));
  });

  it.each([
    [['pool'], '--name'],
    [['pool', '--name', 'edge', '--max-unavailable', '0'], '--max-unavailable'],
    [['pool', '--name', 'edge', '--node-selector', 'edge'], '--node-selector'],
    [['pool', '-f', 'worker.yaml'], 'rollout.pools'],
    [['pool', '-f', 'kmodlayer.yaml', '--name', 'x'], '--name with --file'],
    [['pool', '-f', 'kmodlayer.yaml', '--os-image-stream', 'rhel-10'], '--os-image-stream with --file'],
  ])('refuses %j', async (argv, text) => {
    const { exitCode, stdout, stderr } = await machineConfig(argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
    expect(stdout).toBe('');
  });
});

describe('kmodlayer machine-config firmware', () => {
  it('prints what the library makes of the same options', async () => {
    const flags = ['--name', '99-a', '--pool', 'worker', '--directory', '/var/fw'];
    const { exitCode, stdout } = await machineConfig(['firmware', ...flags]);

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(
      makeFirmwarePathMachineConfig({ name: '99-a', pool: 'worker', directory: '/var/fw' }),
    );
  });

  it('makes one for each pool of a spec', async () => {
    const { stdout } = await machineConfig(['firmware', '-f', 'kmodlayer.yaml']);

    expect(parseAllDocuments(stdout).map((document) => document.toJS() as unknown)).toEqual(
      ['worker', 'worker-rt'].map((pool) =>
        makeFirmwarePathMachineConfig({ name: `99-${pool}-nic-firmware-path`, pool }),
      ),
    );
  });

  it.each([
    [['firmware', '--name', '99-a', '--pool', 'worker', '--directory', '/usr/x'], '--directory'],
    [['firmware', '-f', 'plain.yaml'], 'none of its drivers has firmware'],
  ])('refuses %j', async (argv, text) => {
    const { exitCode, stderr } = await machineConfig(argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });
});

describe('kmodlayer machine-config disruption-policy', () => {
  const ours = day1OptionsOf(parseSpec(SPEC, 'kmodlayer.yaml')).map(makeDay1MachineConfig);

  it('takes the files and units of what it is given, and more of them', async () => {
    const { exitCode, stdout } = await machineConfig(
      ['disruption-policy', '--machine-config', '-', '--path', '/etc/a', '--unit', 'a.service'],
      toYaml(ours),
    );

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(
      makeNodeDisruptionPolicy({ machineConfigs: ours, files: ['/etc/a'], units: ['a.service'] }),
    );
  });

  it('takes those of a list as JSON', async () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: ours });
    const { stdout } = await machineConfig(
      ['disruption-policy', '--machine-config', '-', '-o', 'json'],
      list,
    );

    expect(JSON.parse(stdout)).toEqual(makeNodeDisruptionPolicy({ machineConfigs: ours }));
  });

  it('takes those of the Day 1 drivers of a spec', async () => {
    const { stdout } = await machineConfig(['disruption-policy', '-f', 'kmodlayer.yaml']);

    expect(parse(stdout)).toEqual(makeNodeDisruptionPolicy({ machineConfigs: ours }));
  });

  it.each([
    [['disruption-policy'], '', '--machine-config'],
    [['disruption-policy', '--machine-config', '-'], 'a: [', 'YAML'],
    [['disruption-policy', '--machine-config', '-'], 'a: b', 'no objects'],
    [['disruption-policy', '--machine-config', '-'], 'kind: Pod', '--machine-config'],
    [['disruption-policy', '--machine-config', 'gone.yaml'], '', 'gone.yaml'],
    [['disruption-policy', '--path', '/usr/bin/x'], '', '--path'],
  ])('refuses %j with %j', async (argv, stdin, text) => {
    const { exitCode, stderr } = await machineConfig(argv, stdin);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });
});
