import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { MachineConfig } from '../../src/manifests/machine-config.ts';
import { runCli } from '../support/cli-process.ts';
import { unpackImage } from '../support/merged-root.ts';
import { nodeFiles } from '../support/node-files.ts';
import {
  startWorldRegistry,
  worldDirectory,
  worldDriver,
  type WorldRegistry,
  worldRelease,
} from '../support/world.ts';

const run = promisify(execFile);
const SCRIPT = resolve('machineconfigs/host/day1.sh');

/** What `build -o json` says, as far as these tests look at it. */
interface Built {
  readonly images: readonly object[];
  readonly kmodImages: readonly {
    readonly image: string;
    readonly digest: string;
    readonly kernel: string;
    readonly tags: readonly string[];
    readonly inTree: readonly string[];
  }[];
}

let registry: WorldRegistry;
let place: string;
let built: Built;
let kernel: string;
let root: string;

const storage = (): string[] => ['--root', join(place, 'podman'), '--runroot', join(place, 'podman-run')];
const access = (): string[] => ['--cert-dir', registry.certDir, '--authfile', registry.authFile];
const repository = (): string => `${registry.host}/acme/loopback-kmod`;

/** A base as small as can be: a shell and cp of busybox. */
async function pushBase(): Promise<string> {
  const base = join(place, 'base');
  mkdirSync(join(base, 'bin'), { recursive: true });
  cpSync('/usr/bin/busybox', join(base, 'bin/busybox'));
  for (const name of ['sh', 'cp', 'mkdir', 'ls']) symlinkSync('busybox', join(base, 'bin', name));
  execFileSync('tar', ['-C', base, '-cf', join(place, 'base.tar'), '.']);
  const image = `${registry.host}/acme/base:1`;
  await run('podman', [...storage(), 'import', '--quiet', join(place, 'base.tar'), image]);
  await run('podman', [...storage(), 'push', '--quiet', ...access(), image]);
  return image;
}

beforeAll(async () => {
  place = mkdtempSync('/var/tmp/kmodlayer-kmod-image-');
  registry = await startWorldRegistry();
  kernel = worldRelease('4.18.4').streams[0]?.kernelRelease ?? '';
  mkdirSync(join(place, 'firmware/acme'), { recursive: true });
  writeFileSync(join(place, 'firmware/acme/hello.bin'), 'firmware');
  const spec = {
    apiVersion: 'kmodlayer/v1',
    kind: 'DriverSet',
    metadata: { name: 'loopback' },
    targets: {
      releases: ['4.18.4'],
      releaseRepository: `${registry.host}/openshift-release-dev/ocp-release`,
    },
    drivers: [
      {
        name: 'v4l2loopback',
        version: '0.12.7',
        source: { directory: worldDriver('v4l2loopback') },
        build: {
          run: 'make KERNELRELEASE="$KERNEL_RELEASE" KERNEL_DIR="/usr/src/kernels/$KERNEL_RELEASE" v4l2loopback.ko',
        },
        modules: [{ name: 'v4l2loopback', parameters: { devices: '1' } }],
        firmware: './firmware',
      },
    ],
    publish: {
      osImage: `${registry.host}/acme/rhcos-loopback`,
      kmodImage: { repository: repository(), base: await pushBase() },
    },
    rollout: { pools: ['worker'], day1: ['v4l2loopback'] },
  };
  writeFileSync(join(place, 'spec.yaml'), JSON.stringify(spec));
  const { exitCode, stdout, stderr } = await runCli(
    [
      ...['build', '-f', join(place, 'spec.yaml'), '-o', 'json', '--manifests', join(place, 'manifests')],
      ...['--kmm-namespace', 'openshift-kmm', '--authfile', registry.authFile, '--ca-file', registry.caFile],
    ],
    {
      env: {
        XDG_CACHE_HOME: join(place, 'cache'),
        XDG_STATE_HOME: join(place, 'state'),
        KMODLAYER_BUILD_ARGS: '--isolation chroot --network host',
      },
    },
  );
  expect(exitCode, stderr).toBe(0);
  built = JSON.parse(stdout) as Built;
  root = join(place, 'root');
  await unpackImage({ ...registry, image: `docker://${repository()}:${kernel}`, to: root });
});

afterAll(async () => {
  await run('podman', [...storage(), 'unmount', '--all']).catch(() => undefined);
  rmSync(place, { recursive: true, force: true });
  await registry.stop();
});

describe('a kmod image that build made', () => {
  it('is found by the kernel, and by the release as an index over architectures', async () => {
    const inspect = async (name: string, ...more: string[]): Promise<Record<string, unknown>> =>
      JSON.parse(
        (await run('skopeo', ['inspect', ...more, ...access(), `docker://${repository()}:${name}`])).stdout,
      ) as Record<string, unknown>;

    const [byKernel, byRelease] = [await inspect(kernel), await inspect('4.18.4', '--raw')];

    expect(built.images).toEqual([]);
    expect(byKernel).toMatchObject({
      Digest: built.kmodImages[0]?.digest,
      Architecture: 'amd64',
      Labels: { 'io.kmodlayer.kernel': kernel, 'io.kmodlayer.drivers': 'v4l2loopback=0.12.7' },
    });
    expect(byKernel['Layers']).toHaveLength(2);
    expect(byRelease).toMatchObject({
      manifests: [{ digest: byKernel['Digest'], platform: { architecture: 'amd64' } }],
    });
  });

  it('has the indexes that depmod writes, by which modprobe -d loads what is needed of the host', async () => {
    const directory = join(root, 'opt/lib/modules', kernel);
    const tree = join(worldDirectory(), 'trees', kernel, 'usr/lib/modules', kernel);
    const judged = join(place, 'judged');
    cpSync(directory, join(judged, 'lib/modules', kernel), { recursive: true, verbatimSymlinks: true });
    const host = join(judged, 'lib/modules', kernel, 'host');
    rmSync(host);
    for (const path of built.kmodImages[0]?.inTree ?? []) {
      mkdirSync(dirname(join(host, path)), { recursive: true });
      cpSync(join(tree, path), join(host, path));
    }

    execFileSync('depmod', ['-a', '-b', judged, kernel], { stdio: 'ignore' });

    for (const name of [
      'dep',
      'dep.bin',
      'alias',
      'alias.bin',
      'symbols',
      'symbols.bin',
      'softdep',
      'devname',
    ])
      expect(readFileSync(join(judged, 'lib/modules', kernel, `modules.${name}`)), name).toEqual(
        readFileSync(join(directory, `modules.${name}`)),
      );
    rmSync(host, { recursive: true });
    symlinkSync(tree, host);
    const show = ['-d', judged, '-S', kernel, '--show-depends', 'v4l2loopback'];
    const loads = execFileSync('modprobe', show, { encoding: 'utf8' }).trim().split('\n');
    expect(loads.at(-1)).toContain('/updates/v4l2loopback/v4l2loopback.ko');
    expect(loads.slice(0, -1).some((line) => /\/host\/kernel\/.*\/videodev\.ko/.test(line))).toBe(true);
  });

  it('gives KMM its modules and firmware with the shell and the cp of its base', async () => {
    const out = join(place, 'kmm');
    const take = `mkdir -p /tmp/opt/lib/modules; cp -R /opt/lib/modules/${kernel} /tmp/opt/lib/modules; mkdir -p /tmp/firmware; cp -R /firmware/* /tmp/firmware`;

    // Containers do not run everywhere that tests do: its root is enough.
    const image = `${repository()}:${kernel}`;
    await run('podman', [...storage(), 'pull', '--quiet', ...access(), image]);
    const container = (await run('podman', [...storage(), 'create', image, '/bin/sh'])).stdout.trim();
    const mount = (await run('podman', [...storage(), 'mount', container])).stdout.trim();
    await run('chroot', [mount, '/bin/sh', '-c', take]);
    cpSync(join(mount, 'tmp'), out, { recursive: true, verbatimSymlinks: true });

    expect(readFileSync(join(out, 'firmware/acme/hello.bin'), 'utf8')).toBe('firmware');
    const show = ['-d', join(out, 'opt'), '-S', kernel, '--show-depends', 'v4l2loopback'];
    expect(execFileSync('modprobe', show, { encoding: 'utf8' })).toContain('v4l2loopback.ko');
  });

  it('is kept by the Day 1 script under the configuration that build wrote', async () => {
    const yaml = readFileSync(join(place, 'manifests/99-worker-loopback-day1.yaml'), 'utf8');
    const machineConfig = parse(yaml) as MachineConfig;
    nodeFiles([machineConfig]).writeTo(join(place, 'node'));
    const bin = join(place, 'bin');
    mkdirSync(bin);
    const command = (name: string, line: string): void => {
      writeFileSync(join(bin, name), `#!/bin/bash\n${line}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    command(
      'podman',
      `if [ "$1" = pull ]; then shift; set -- pull ${access().join(' ')} "$@"; fi; exec /usr/bin/podman ${storage().join(' ')} "$@"`,
    );
    // Nothing can be loaded here: machines that boot show that.
    command('systemctl', '[ "$1" != is-active ]');
    for (const name of ['modprobe', 'rmmod', 'udevadm']) command(name, 'exit 1');
    command('uname', `echo ${kernel}`);
    const name = '99-worker-loopback-day1-v4l2loopback';
    const config = join(place, 'node/etc/kmodlayer', `${name}.conf`);

    await run('bash', [SCRIPT, 'pull', config], {
      env: {
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        KMODLAYER_STORE: join(place, 'store'),
        KMODLAYER_RUN: join(place, 'run'),
        KMODLAYER_MODPROBE_DIRECTORY: join(place, 'modprobe.d'),
        KMODLAYER_SYSFS: join(place, 'sys'),
      },
    }).catch(() => undefined);

    expect(readFileSync(config, 'utf8')).toContain(
      `image\t${kernel}\t${repository()}@${built.kmodImages[0]?.digest ?? ''}`,
    );
    const kept = join(place, 'store', name, kernel);
    execFileSync('sha256sum', ['--check', '--status', 'SHA256SUMS'], { cwd: kept });
    expect(readFileSync(join(kept, 'firmware/acme/hello.bin'), 'utf8')).toBe('firmware');
    const show = ['-d', kept, '-S', kernel, '--show-depends', 'v4l2loopback'];
    expect(execFileSync('modprobe', show, { encoding: 'utf8' })).toContain(
      '/updates/v4l2loopback/v4l2loopback.ko',
    );
  });

  it('comes with a Module of KMM that has it by digest, and passes verify', async () => {
    const modules = readFileSync(join(place, 'manifests/loopback-modules.yaml'), 'utf8');
    const { osImage } = worldRelease('4.18.4').streams[0] ?? { osImage: '' };

    const verified = await runCli([
      ...['verify', built.kmodImages[0]?.image ?? '', '--base', osImage],
      ...['--authfile', registry.authFile, '--ca-file', registry.caFile],
    ]);

    expect(verified, verified.stdout + verified.stderr).toMatchObject({ exitCode: 0 });
    expect(parse(modules)).toMatchObject({
      kind: 'Module',
      spec: {
        moduleLoader: {
          container: {
            kernelMappings: [{ literal: kernel, containerImage: built.kmodImages[0]?.image }],
            modprobe: { firmwarePath: '/firmware', parameters: ['devices=1'] },
          },
        },
      },
    });
  });
});
