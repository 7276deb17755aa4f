import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { makeVerifyScript } from '../../src/manifests/day1/verify-script.ts';
import { runCli } from '../support/cli.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const FLAGS = ['machine-config', 'day1', '--name', '99-worker-ice', '--pool', 'worker'];
const IMAGE = ['--image', 'quay.io/acme/ice'];

describe('kmodlayer machine-config day1', () => {
  it('prints what the library makes of the same options', async () => {
    const flags = ['--module', 'ice', '--remove-in-tree', 'irdma,ice', '--firmware', '/fw'];
    const { exitCode, stdout } = await runCli([
      ...[...FLAGS, ...IMAGE, ...flags, '--parameter', 'debug=0', '--parameter', 'x=a=b', '--no-proxy'],
      ...['--pull-timeout', '100', '--load-timeout', '50', '--activation', 'next-boot'],
      ...['--node-authfile', '/etc/a.json', '--firmware-directory', '/var/fw', '--directory', '/mods'],
    ]);

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(
      makeDay1MachineConfig({
        name: '99-worker-ice',
        pool: 'worker',
        image: 'quay.io/acme/ice',
        module: 'ice',
        replaces: ['irdma', 'ice'],
        parameters: { debug: '0', x: 'a=b' },
        firmware: '/fw',
        directory: '/mods',
        proxy: false,
        pullTimeoutSeconds: 100,
        loadTimeoutSeconds: 50,
        activation: 'next-boot',
        authFile: '/etc/a.json',
        firmwareDirectory: '/var/fw',
      }),
    );
  });

  it('knows a module by each spelling of its name', async () => {
    const flags = [...FLAGS, ...IMAGE, '--module', 'acme-tap'];
    const { stdout } = await runCli([
      ...flags,
      '--parameter',
      'acme_tap.debug=1',
      '--parameter',
      'acme-tap.x=2',
    ]);

    expect(parse(stdout)).toEqual(
      makeDay1MachineConfig({
        name: '99-worker-ice',
        pool: 'worker',
        image: 'quay.io/acme/ice',
        module: 'acme-tap',
        parameters: { debug: '1', x: '2' },
      }),
    );
  });

  it('prints JSON, for KMM', async () => {
    const worker = `quay.io/acme/worker@${DIGEST}`;
    const { stdout } = await runCli([
      ...[...FLAGS, ...IMAGE, '--module', 'ice', '--loader', 'kmm', '--worker-image', worker, '-o', 'json'],
    ]);

    expect(JSON.parse(stdout)).toEqual(
      makeDay1MachineConfig({
        name: '99-worker-ice',
        pool: 'worker',
        loader: 'kmm',
        image: 'quay.io/acme/ice',
        module: 'ice',
        workerImage: worker,
      }),
    );
  });

  it('takes several modules, with parameters of each, and images by kernel', async () => {
    const { stdout } = await runCli([
      ...[...FLAGS, '--image', `5.14.0-1.el9.x86_64+rt=quay.io/acme/ice@${DIGEST}`],
      ...[
        '--module',
        'auxiliary',
        '--module',
        'ice',
        '--remove-in-tree',
        'ice',
        '--parameter',
        'ice.debug=1',
      ],
    ]);

    expect(parse(stdout)).toEqual(
      makeDay1MachineConfig({
        name: '99-worker-ice',
        pool: 'worker',
        drivers: [
          {
            name: '99-worker-ice',
            image: { '5.14.0-1.el9.x86_64+rt': `quay.io/acme/ice@${DIGEST}` },
            modules: [
              { name: 'auxiliary', replaces: ['ice'] },
              { name: 'ice', parameters: { debug: '1' } },
            ],
          },
        ],
      }),
    );
  });

  it('names each flag that is wrong, and exits with 2', async () => {
    const { exitCode, stdout, stderr } = await runCli([
      ...['machine-config', 'day1', '--name', 'A\nb', '--image', 'quay.io/a/b:$(id)', '--module', 'x y'],
      ...['--loader', 'kmn', '--remove-in-tree', 'a,b c', '--pull-timeout', 'soon', '--parameter', 'a b=1'],
    ]);

    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    for (const flag of ['--name', '--pool', '--image', '--module', '--loader', '--remove-in-tree']) {
      expect(stderr).toContain(`  ${flag}: `);
    }
    for (const flag of ['--pull-timeout', '--parameter']) expect(stderr).toContain(`  ${flag}: `);
    expect(stderr).toContain('Did you mean "kmm"?');
  });

  it.each([
    [['--module', 'a', '--module', 'b', '--parameter', 'x=1'], 'Cannot use --parameter "x=1"'],
    [['--module', 'a', '--module', 'b', '--parameter', 'a.x'], 'Cannot use --parameter "a.x"'],
    [['--module', 'a', '--parameter', 'b.x=1'], 'there is no --module "b"'],
    [['--module', 'a', '--module', 'b', '--parameter', 'c.x=1'], 'there is no --module "c"'],
    [['--module', 'a', '--parameter', 'x=1', '--parameter', 'x=2'], 'Cannot use --parameter for "x" twice'],
    [
      ['--module', 'a', '--worker-image', 'quay.io/a/w:1'],
      'Cannot use --worker-image with the loader "host"',
    ],
    [['--image', 'quay.io/a/b', '--module', 'a'], 'it names no kernel'],
    [['--module', 'a', '--module', 'b c'], '--module: Cannot use module name'],
    [['--file', 'x.yaml', '--module', 'a'], 'with --file: the spec says it'],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await runCli([...FLAGS, ...IMAGE, ...flags]);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('kmodlayer machine-config day1 -f', () => {
  const SPEC = `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: nic }
targets: { releases: [4.18.4] }
drivers:
  - name: ice
    version: 1.0.0
    source: { directory: . }
    modules: [{ name: ice, replaces: [ice], parameters: { debug: "0" } }]
    softdeps: [{ module: ice, pre: [gnss] }]
    firmware: ./ddp
  - { name: other, version: 1.0.0, source: { directory: . }, modules: [{ name: other }] }
publish: { osImage: quay.io/acme/os, kmodImage: quay.io/acme/kmods }
rollout: { pools: [worker, infra], day1: [ice] }
`;
  let directory = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('makes a MachineConfig for each pool', async () => {
    await writeFile(join(directory, 'kmodlayer.yaml'), SPEC);
    const argv = ['machine-config', 'day1', '-f', 'kmodlayer.yaml', '-o', 'json', '--activation', 'reboot'];

    const { exitCode, stdout } = await runCli(argv, { cwd: directory });

    expect(exitCode).toBe(0);
    const drivers = [
      {
        name: 'ice',
        image: 'quay.io/acme/kmods',
        modules: [{ name: 'ice', replaces: ['ice'], parameters: { debug: '0' } }],
        softdeps: [{ module: 'ice', pre: ['gnss'] }],
        firmware: '/firmware',
      },
    ];
    expect(JSON.parse(stdout)).toEqual({
      apiVersion: 'v1',
      kind: 'List',
      items: ['worker', 'infra'].map((pool) =>
        makeDay1MachineConfig({ name: `99-${pool}-nic-day1`, pool, drivers, activation: 'reboot' }),
      ),
    });
  });

  it('refuses a file that is not YAML to its end', async () => {
    const object = 'kind: BootModuleConfig\napiVersion: kmm.sigs.x-k8s.io/v1beta1\nmetadata: { name: a }\n';
    await writeFile(join(directory, 'boot.yaml'), `${object}---\na: [}\n`);

    const { exitCode, stdout, stderr } = await runCli(['machine-config', 'day1', '-f', 'boot.yaml'], {
      cwd: directory,
    });

    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('Cannot use boot.yaml');
  });

  it('says that a spec has none', async () => {
    await writeFile(join(directory, 'kmodlayer.yaml'), SPEC.replace(', day1: [ice]', ''));

    const { exitCode, stderr } = await runCli(['machine-config', 'day1', '-f', 'kmodlayer.yaml'], {
      cwd: directory,
    });

    expect(exitCode).toBe(2);
    expect(stderr).toContain('it has no "day1"');
  });
});

describe('kmodlayer machine-config verify-script', () => {
  const SCRIPT = ['machine-config', 'verify-script', '--name', '99-worker-ice', '--pool', 'worker'];

  it('prints what the library makes of the same options', async () => {
    const { exitCode, stdout } = await runCli([...SCRIPT, ...IMAGE, '--module', 'ice']);

    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      makeVerifyScript({ name: '99-worker-ice', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' }),
    );
  });

  it('names the flag that is wrong', async () => {
    const { exitCode, stderr } = await runCli([...SCRIPT, ...IMAGE, '--module', 'a b']);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('--module');
  });
});
