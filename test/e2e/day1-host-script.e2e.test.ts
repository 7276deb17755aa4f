import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import type { Day1DriverOptions } from '../../src/manifests/day1/options.ts';
import { type DebianRegistry, startDebianRegistry } from '../support/debian-registry.ts';
import { nodeFiles } from '../support/node-files.ts';
import { pushKmodImage } from '../support/node-images.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../../machineconfigs/host/day1.sh');
const MODULE = readFileSync(join(import.meta.dirname, '../../fixtures/modules/kl_provider.ko'));
const P = '99-worker-t-d';

let registry: DebianRegistry;
let storage: string;
let place: string;

beforeAll(async () => {
  registry = await startDebianRegistry({ isSecured: true });
  storage = mkdtempSync('/var/tmp/kmodlayer-host-script-');
});
afterAll(async () => {
  await run('podman', [
    '--root',
    join(storage, 'root'),
    '--runroot',
    join(storage, 'run'),
    'unmount',
    '--all',
  ]).catch(() => undefined);
  rmSync(storage, { recursive: true, force: true });
  await registry.close();
});

// Modules cannot be loaded here: what loads them, and what reboots, only says what it was asked. Everything about loading
// is shown by machines that boot, in day1-vm.e2e.test.ts.
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'kmodlayer-host-script-'));
  const global = `--root ${storage}/root --runroot ${storage}/run`;
  const command = (name: string, lines: string): void => {
    mkdirSync(join(place, 'bin'), { recursive: true });
    writeFileSync(join(place, 'bin', name), `#!/bin/bash\n${lines}\n`);
    chmodSync(join(place, 'bin', name), 0o755);
  };
  const certificates = join(place, 'certificates');
  mkdirSync(certificates);
  copyFileSync(registry.caFile ?? '', join(certificates, 'ca.crt'));
  command(
    'podman',
    `if [ "$1" = pull ]; then shift; exec /usr/bin/podman ${global} pull --cert-dir ${certificates} "$@"; fi
exec /usr/bin/podman ${global} "$@"`,
  );
  command('systemctl', `echo "$*" >>${place}/systemctl; [ "$1" != is-active ]`);
  for (const name of ['modprobe', 'rmmod', 'udevadm']) command(name, `echo "${name} $*" >>${place}/loads`);
  command('uname', `cat ${place}/kernel 2>/dev/null || /usr/bin/uname "$@"`);
});
afterEach(() => {
  rmSync(place, { recursive: true, force: true });
});

interface Outcome {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs the script as its unit does. */
async function day1(verb: string, config: string): Promise<Outcome> {
  const env = {
    PATH: `${place}/bin:${process.env['PATH'] ?? ''}`,
    KMODLAYER_STORE: join(place, 'store'),
    KMODLAYER_RUN: join(place, 'run'),
    KMODLAYER_MODPROBE_DIRECTORY: join(place, 'modprobe.d'),
    KMODLAYER_SYSFS: join(place, 'sys'),
  };
  try {
    const { stdout, stderr } = await run('bash', [SCRIPT, verb, config], { env });
    return { exitCode: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exitCode: code, output: stdout + stderr };
  }
}

/** The configuration that the MachineConfig has for a driver. */
function configOf(
  driver: Partial<Day1DriverOptions> & Pick<Day1DriverOptions, 'image'>,
  seconds = 20,
): string {
  const machineConfig = makeDay1MachineConfig({
    name: '99-worker-t',
    pool: 'worker',
    activation: 'next-boot',
    pullTimeoutSeconds: seconds,
    authFile: registry.authFile ?? '',
    drivers: [{ name: 'd', modules: [{ name: 'kl_provider' }], ...driver }],
  });
  nodeFiles([machineConfig]).writeTo(join(place, 'node'));
  return join(place, 'node/etc/kmodlayer', `${P}.conf`);
}

async function push(repository: string, kernelRelease: string, tag = kernelRelease): Promise<string> {
  return pushKmodImage({
    registry,
    repository,
    tag: tag.replaceAll('+', '_'),
    kernelRelease,
    modules: { 'extra/kl_provider.ko': MODULE },
    firmware: { 'acme/hello.bin': 'firmware' },
  });
}

function kernelIs(kernelRelease: string): void {
  writeFileSync(join(place, 'kernel'), `${kernelRelease}\n`);
}

function kept(path = ''): string {
  return join(place, 'store', P, path);
}

function stateOf(): string {
  return readFileSync(kept('state'), 'utf8');
}

describe('pull', () => {
  it('keeps the modules and firmware of the image by the tag of the kernel, "+" included, and leaves no image', async () => {
    const kernel = '5.14.0-427.el9.x86_64+rt';
    await push('acme/plus', kernel);
    kernelIs(kernel);
    const config = configOf({ image: `${registry.host}/acme/plus`, firmware: '/firmware' });

    const { exitCode, output } = await day1('pull', config);

    expect(exitCode, output).toBe(0);
    expect(readFileSync(kept(`${kernel}/lib/modules/${kernel}/extra/kl_provider.ko`))).toEqual(MODULE);
    expect(readFileSync(kept(`${kernel}/firmware/acme/hello.bin`), 'utf8')).toBe('firmware');
    const show = ['-d', kept(kernel), '-S', kernel, '--show-depends', 'kl_provider'];
    expect(execFileSync('modprobe', show, { encoding: 'utf8' })).toContain('extra/kl_provider.ko');
    execFileSync('sha256sum', ['--check', '--status', 'SHA256SUMS'], { cwd: kept(kernel) });
    expect(stateOf()).toMatch(
      /^state=pending-reboot\nkernel=5\.14\.0-427\.el9\.x86_64\+rt\nimage=.*:5\.14\.0-427\.el9\.x86_64_rt\n/,
    );
    const images = await run(join(place, 'bin/podman'), ['images', '--quiet']);
    expect(images.stdout).toBe('');
  });

  it('pulls nothing when it has the modules already, and again when one of them was changed', async () => {
    const digest = await push('acme/again', release());
    const config = configOf({ image: { [release()]: `${registry.host}/acme/again@${digest}` } });
    await day1('pull', config);
    await registry.kill();
    const second = await day1('pull', config);
    await registry.restart();
    writeFileSync(kept(`${release()}/lib/modules/${release()}/extra/kl_provider.ko`), 'spoilt');

    const third = await day1('pull', config);

    expect(second).toMatchObject({ exitCode: 0 });
    expect(second.output).toContain('are there');
    expect(third.exitCode).toBe(0);
    expect(readFileSync(kept(`${release()}/lib/modules/${release()}/extra/kl_provider.ko`))).toEqual(MODULE);
  });

  it('tries again until the registry is there', async () => {
    const digest = await push('acme/late', release());
    const config = configOf({ image: `${registry.host}/acme/late@${digest}` }, 60);
    await registry.kill();

    const pulled = day1('pull', config);
    await sleep(4_000);
    await registry.restart();

    expect(await pulled).toMatchObject({ exitCode: 0 });
  });

  it('fails when the time is over, and has a timer try again', async () => {
    const config = configOf({ image: `${registry.host}/acme/never` }, 4);
    await registry.kill();
    const { exitCode } = await day1('pull', config);
    await registry.restart();

    expect(exitCode).toBe(1);
    expect(stateOf()).toMatch(/^state=pull-failed\n/);
    expect(readFileSync(join(place, 'systemctl'), 'utf8')).toContain(`start --no-block ${P}-pull.timer`);
  });

  it('does not wait for a tag that the registry says it does not have', async () => {
    await push('acme/other-kernel', '1.2.3-other');
    const started = Date.now();

    const { exitCode } = await day1('pull', configOf({ image: `${registry.host}/acme/other-kernel` }, 300));

    expect(exitCode).toBe(1);
    expect(Date.now() - started).toBeLessThan(60_000);
    expect(stateOf()).toMatch(/^state=pull-failed\n/);
  });

  it.each([
    ['has no modules for the kernel', 'acme/wrong', {}],
    ['has no firmware where it should be', 'acme/no-firmware', { firmware: '/elsewhere' }],
  ])('keeps nothing of an image that %s', async (_name, repository, more) => {
    const digest = await push(repository, repository === 'acme/wrong' ? '1.2.3-other' : release());

    const { exitCode } = await day1(
      'pull',
      configOf({ image: `${registry.host}/${repository}@${digest}`, ...more }),
    );

    expect(exitCode).toBe(1);
    expect(stateOf()).toMatch(/^state=bad-image\n/);
    expect(readdirSync(kept())).toEqual(['state']);
  });

  it('says when the table of images has none for the kernel', async () => {
    const digest = `sha256:${'4d'.repeat(32)}`;
    const config = configOf({ image: { '1.2.3-other': `${registry.host}/acme/none@${digest}` } });

    const { exitCode } = await day1('pull', config);

    expect(exitCode).toBe(1);
    expect(stateOf()).toMatch(/^state=no-image\n/);
    expect(await day1('load', config)).toMatchObject({ exitCode: 0 });
  });

  it('keeps the modules of two other kernels, the latest ones', async () => {
    for (const kernel of ['1.0.0-a', '2.0.0-b', '3.0.0-c', '4.0.0-d']) {
      await push('acme/many', kernel);
      kernelIs(kernel);
      expect(await day1('pull', configOf({ image: `${registry.host}/acme/many` }))).toMatchObject({
        exitCode: 0,
      });
      await sleep(1_100);
    }

    expect(readdirSync(kept()).sort()).toEqual(['2.0.0-b', '3.0.0-c', '4.0.0-d', 'state']);
  });
});

describe('firmware', () => {
  it('of two drivers stays as long as one of them needs it, and what was there before stays for ever', async () => {
    const firmwareDirectory = join(place, 'firmware');
    const at = (name: string): string => join(firmwareDirectory, name);
    await push('acme/shared', '1.0.0-a');
    kernelIs('1.0.0-a');
    mkdirSync(join(place, 'sys/module/firmware_class/parameters'), { recursive: true });
    mkdirSync(at('acme'), { recursive: true });
    writeFileSync(at('acme/own.bin'), 'own');
    const image = `${registry.host}/acme/shared`;
    // Drivers of two MachineConfigs: what one calls "b-c" is not what the other calls "c".
    const configs = (
      [
        ['99-a', 'b-c'],
        ['99-a-b', 'c'],
      ] as const
    ).map(([name, driver]) => {
      const machineConfig = makeDay1MachineConfig({
        ...{ name, pool: 'worker', activation: 'next-boot', authFile: registry.authFile ?? '' },
        drivers: [{ name: driver, image, firmware: '/firmware', modules: [{ name: 'kl_provider' }] }],
      });
      nodeFiles([machineConfig]).writeTo(join(place, 'node'));
      const files = machineConfig.spec.config.storage?.files ?? [];
      const config = join(place, 'node', files.find(({ path }) => path.endsWith('.conf'))?.path ?? '');
      // No MachineConfig can name a directory that is not the node's.
      writeFileSync(config, readFileSync(config, 'utf8').replace('/var/lib/firmware', firmwareDirectory));
      return config;
    });
    const [one = '', other = ''] = configs;

    for (const config of configs) {
      expect(await day1('pull', config)).toMatchObject({ exitCode: 0 });
      // The module is only said to be loaded here; the firmware is written before.
      expect((await day1('load', config)).output).toContain('another kl_provider was loaded');
    }
    expect(readdirSync(join(place, 'store')).sort()).toEqual(['99-a-b-c', '99-a_b-c']);
    expect(readFileSync(at('acme/hello.bin'), 'utf8')).toBe('firmware');
    await day1('uninstall', one);
    expect(readFileSync(at('acme/hello.bin'), 'utf8')).toBe('firmware');
    await day1('uninstall', other);

    expect(readdirSync(at('acme'))).toEqual(['own.bin']);
    expect(existsSync(join(place, 'store'))).toBe(false);
  });
});

describe('the other verbs', () => {
  it('say that nothing is there yet', async () => {
    const config = configOf({ image: `${registry.host}/acme/none` });

    expect((await day1('status', config)).output).toBe('state=unknown\n');
    expect(await day1('load', config)).toMatchObject({ exitCode: 0 });
    expect((await day1('status', config)).output).toMatch(/^state=waiting\n/);
    expect(await day1('verify', config)).toMatchObject({ exitCode: 1 });
    expect(await day1('uninstall', config)).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(place, 'store'))).toBe(false);
  });

  it.each([
    ['a word it does not know', 'wrong\tword\n'],
    ['no module', 'name\ta\n'],
  ])('refuse a configuration with %s', async (_name, text) => {
    const config = join(place, 'bad.conf');
    writeFileSync(config, text);

    expect(await day1('status', config)).toMatchObject({ exitCode: 2 });
  });
});

describe('units of the host loader', () => {
  it.each([false, true])('have nothing that systemd-analyze complains about; removed: %s', (remove) => {
    const driver = (name: string): Day1DriverOptions => ({
      name,
      image: 'quay.io/acme/x',
      firmware: '/firmware',
      modules: [{ name: name.replaceAll('-', '_') }],
    });
    const drivers = [driver('a'), driver('b')];
    const machineConfig = makeDay1MachineConfig({ name: '99-worker-t', pool: 'worker', remove, drivers });
    const root = join(place, 'units');
    nodeFiles([machineConfig]).writeTo(root);
    const directory = join(root, 'etc/systemd/system');
    const units = readdirSync(directory).filter((name) => name.startsWith('99-'));

    const output = execFileSync(
      'bash',
      [
        '-c',
        'systemd-analyze verify --man=no "$@" 2>&1',
        'verify',
        ...units.map((name) => join(directory, name)),
      ],
      { encoding: 'utf8' },
    );

    expect(units.length).toBe(remove ? 2 : 6);
    expect(output).toBe('');
  });
});
