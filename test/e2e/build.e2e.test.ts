import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { STATIC_PASS } from '../../src/verify/report.ts';
import { bootAndLoad } from '../support/boot.ts';
import { runCli } from '../support/cli-process.ts';
import { judgeWithDepmod, unpackImage } from '../support/merged-root.ts';
import { startWorldRegistry, worldDriver, type WorldRegistry, worldRelease } from '../support/world.ts';

const run = promisify(execFile);
const FIXTURES = resolve('fixtures');

/** What `build -o json` says of an image, as far as these tests look at it. */
interface Built {
  readonly image: string;
  readonly tag: string;
  readonly digest: string;
  readonly manifests: readonly { readonly fileName: string; readonly yaml: string }[];
}

let registry: WorldRegistry;
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-build-'));
  registry = await startWorldRegistry();
  await run('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-sha256',
      '-days',
      '30',
      '-subj',
      '/CN=Example driver signing',
    ],
    ...['-keyout', join(scratch, 'signing.key'), '-out', join(scratch, 'signing.pem')],
  ]);
});

afterAll(async () => {
  await registry.stop();
  await rm(scratch, { recursive: true, force: true });
});

interface SpecOptions {
  readonly name: string;
  readonly releases: readonly string[];
  readonly streams?: readonly string[];
  readonly drivers: readonly object[];
}

async function writeSpec({ name, releases, streams, drivers }: SpecOptions): Promise<string> {
  const file = join(scratch, `${name}.yaml`);
  const { host } = registry;
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'kmodlayer/v1',
      kind: 'DriverSet',
      metadata: { name },
      targets: {
        releases,
        ...(streams === undefined ? {} : { streams }),
        releaseRepository: `${host}/openshift-release-dev/ocp-release`,
      },
      drivers,
      sign: [{ key: 'file:signing.key', certificate: 'signing.pem', hash: 'sha256' }],
      publish: { osImage: `${host}/acme/rhcos-${name}` },
      rollout: { pools: ['worker'] },
    }),
  );
  return file;
}

async function build(spec: string): Promise<readonly Built[]> {
  const { exitCode, stdout, stderr } = await runCli(
    ['build', '-f', spec, '-o', 'json', '--authfile', registry.authFile, '--ca-file', registry.caFile],
    {
      env: {
        XDG_CACHE_HOME: join(scratch, 'cache'),
        XDG_STATE_HOME: join(scratch, 'state'),
        KMODLAYER_BUILD_ARGS: '--isolation chroot --network host',
      },
    },
  );
  expect(exitCode, stderr).toBe(0);
  return (JSON.parse(stdout) as { images: readonly Built[] }).images;
}

async function inspect(
  image: string,
): Promise<{ Digest: string; Layers: string[]; Labels: Record<string, string> }> {
  const access = ['--cert-dir', registry.certDir, '--authfile', registry.authFile];
  const { stdout } = await run('skopeo', ['inspect', ...access, `docker://${image}`]);
  return JSON.parse(stdout) as { Digest: string; Layers: string[]; Labels: Record<string, string> };
}

async function unpack(image: string, name: string): Promise<string> {
  const to = join(scratch, name);
  await unpackImage({ ...registry, image: `docker://${image}`, to });
  return to;
}

async function modinfo(file: string, field: string): Promise<string> {
  return (await run('modinfo', ['-F', field, file])).stdout.trim();
}

const HELLO = {
  name: 'hello',
  version: '1.0.0',
  source: { directory: join(FIXTURES, 'drivers/hello') },
  build: { run: 'make KERNEL_RELEASE="$KERNEL_RELEASE"' },
  modules: [
    { name: 'kl_base' },
    { name: 'kl_hello', autoload: true, parameters: { greeting: 'good morning' } },
  ],
};

const V4L2LOOPBACK = (): object => ({
  name: 'v4l2loopback',
  version: '0.12.7',
  source: { directory: worldDriver('v4l2loopback') },
  build: {
    run: 'make KERNELRELEASE="$KERNEL_RELEASE" KERNEL_DIR="/usr/src/kernels/$KERNEL_RELEASE" v4l2loopback.ko',
  },
  modules: [{ name: 'v4l2loopback', parameters: { devices: '1' } }],
});

const XTABLES = (): object => ({
  name: 'xtables-addons',
  version: '3.23',
  source: { directory: worldDriver('xtables-addons') },
  build: {
    run: 'make -C "/usr/src/kernels/$KERNEL_RELEASE" M="$PWD/extensions" XA_ABSTOPSRCDIR="$PWD" XA_TOPSRCDIR="$PWD" modules',
  },
  modules: [{ name: 'xt_ECHO' }, { name: 'xt_iface' }],
});

describe('build, on a world of Debian packages', () => {
  it('makes an image whose own kernel loads the driver by name, with its parameter', async () => {
    const { osImage, kernelRelease } = worldRelease('4.18.4').streams[0]!;

    const [built] = await build(await writeSpec({ name: 'hello', releases: ['4.18.4'], drivers: [HELLO] }));

    const [before, after] = [await inspect(osImage), await inspect(built!.image)];
    expect(after.Digest).toBe(built!.digest);
    expect(after.Layers.slice(0, -1)).toEqual(before.Layers);
    expect(after.Labels).toMatchObject({ ...before.Labels, 'io.kmodlayer.drivers': 'hello=1.0.0' });
    const root = await unpack(built!.image, 'hello');
    const verdict = await judgeWithDepmod(root, kernelRelease);
    expect(verdict.changed).toEqual([]);
    expect(verdict.compared).toContain('modules.symbols.bin');
    const verified = await runCli([
      ...['verify', built!.image, '--cert', join(scratch, 'signing.pem')],
      ...['--authfile', registry.authFile, '--ca-file', registry.caFile],
    ]);
    expect(verified, verified.stderr).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(STATIC_PASS) as unknown,
    });
    const module = join(root, `usr/lib/modules/${kernelRelease}/extra/hello/kl_hello.ko`);
    expect(await modinfo(module, 'signer')).toBe('Example driver signing');
    expect(await modinfo(module, 'sig_hashalgo')).toBe('sha256');
    const booted = await bootAndLoad({ root, kernelRelease, modprobe: ['kl_hello'] });
    expect(booted.loads, booted.console).toMatchObject([{ exitCode: 0 }]);
    expect(booted.loadedModules).toEqual(expect.arrayContaining(['kl_hello', 'kl_base']));
    expect(booted.parameters['kl_hello.greeting']).toBe('good morning');
  });

  it('is an image that podman pulls and runs', async () => {
    const [built] = await build(await writeSpec({ name: 'pulled', releases: ['4.18.4'], drivers: [HELLO] }));
    const storage = ['--root', join(scratch, 'podman'), '--runroot', join(scratch, 'podman-run')];
    const access = ['--cert-dir', registry.certDir, '--authfile', registry.authFile];

    await run('podman', [...storage, 'pull', '--quiet', ...access, built!.image]);

    const { stdout } = await run('podman', [
      ...storage,
      'image',
      'inspect',
      '--format',
      '{{.Digest}}',
      built!.image,
    ]);
    expect(stdout.trim()).toBe(built!.digest);
    const mount = (await run('podman', [...storage, 'image', 'mount', built!.image])).stdout.trim();
    expect(await readFile(join(mount, 'usr/lib/modules-load.d/kmodlayer-hello.conf'), 'utf8')).toBe(
      'kl_hello\n',
    );
    expect(
      (await run('stat', ['-c', '%a %u:%g', join(mount, 'usr'), join(mount, 'usr/lib/modules')])).stdout,
    ).toBe('755 0:0\n755 0:0\n');
    await run('podman', [...storage, 'image', 'unmount', '--all']);
  });

  it('gives the manifest that rolls the image out', async () => {
    const [built] = await build(
      await writeSpec({ name: 'rolled-out', releases: ['4.18.4'], drivers: [HELLO] }),
    );

    expect(built!.manifests.map(({ fileName }) => fileName)).toEqual(['99-worker-rolled-out.yaml']);
    expect(parse(built!.manifests[0]!.yaml)).toEqual({
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfig',
      metadata: {
        name: '99-worker-rolled-out',
        labels: { 'machineconfiguration.openshift.io/role': 'worker' },
      },
      spec: { osImageURL: `${registry.host}/acme/rhcos-rolled-out@${built!.digest}` },
    });
  });

  it('compiles once for two releases that share a kernel, and gives the same image when it runs again', async () => {
    const spec = await writeSpec({ name: 'shared', releases: ['4.18.4', '4.18.5'], drivers: [HELLO] });

    const first = await build(spec);
    const again = await build(spec);

    expect(first).toHaveLength(2);
    expect(again.map(({ digest, tag }) => ({ digest, tag }))).toEqual(
      first.map(({ digest, tag }) => ({ digest, tag })),
    );
    const layers = await Promise.all(first.map(async ({ image }) => (await inspect(image)).Layers.at(-1)));
    expect(new Set(layers).size).toBe(2);
  });

  it.each([
    { version: '4.16.10', stream: 'rhel-9' },
    { version: '4.19.1', stream: 'rhel-9' },
    { version: '4.22.1', stream: 'rhel-10' },
  ])('puts real drivers on $version ($stream)', async ({ version, stream }) => {
    const { kernelRelease } = worldRelease(version).streams.find(({ name }) => name === stream)!;
    const name = `real-${version.replaceAll('.', '-')}`;
    const drivers = stream === 'rhel-10' ? [HELLO] : [V4L2LOOPBACK(), XTABLES()];
    const wanted = stream === 'rhel-10' ? ['kl_hello'] : ['v4l2loopback', 'xt_ECHO', 'xt_iface'];

    const [built] = await build(await writeSpec({ name, releases: [version], streams: [stream], drivers }));

    const root = await unpack(built!.image, name);
    expect((await judgeWithDepmod(root, kernelRelease)).changed).toEqual([]);
    const booted = await bootAndLoad({ root, kernelRelease, modprobe: wanted });
    expect(
      booted.loads.map(({ exitCode }) => exitCode),
      booted.console,
    ).toEqual(wanted.map(() => 0));
    expect(booted.loadedModules).toEqual(expect.arrayContaining(wanted));
    expect(booted.kernelRelease).toBe(kernelRelease);
    expect(await readFile(join(root, 'etc/driver-toolkit-release.json'), 'utf8')).toContain(kernelRelease);
  });

  it('replaces an in-tree module when the spec says so, and refuses to otherwise', async () => {
    const { kernelRelease } = worldRelease('4.18.4').streams[0]!;
    const source = join(scratch, 'dummy');
    await mkdir(source);
    await cp(join(FIXTURES, 'drivers/hello/Makefile'), join(source, 'Makefile'));
    await writeFile(join(source, 'Kbuild'), 'obj-m := dummy.o\n');
    await writeFile(
      join(source, 'dummy.c'),
      [
        '#include <linux/module.h>',
        'static int __init start(void) { pr_info("dummy: out of tree\\n"); return 0; }',
        'static void __exit stop(void) {}',
        'module_init(start); module_exit(stop);',
        'MODULE_LICENSE("GPL"); MODULE_DESCRIPTION("takes the place of dummy");',
        '',
      ].join('\n'),
    );
    const driver = (modules: readonly object[]): object => ({
      ...HELLO,
      name: 'dummy',
      source: { directory: source },
      modules,
    });
    const refused = await writeSpec({
      name: 'refused',
      releases: ['4.18.4'],
      drivers: [driver([{ name: 'dummy' }])],
    });
    const accepted = await writeSpec({
      name: 'replaced',
      releases: ['4.18.4'],
      drivers: [driver([{ name: 'dummy', replaces: ['dummy'] }])],
    });

    const refusal = await runCli(
      ['build', '-f', refused, '--authfile', registry.authFile, '--cert-dir', registry.certDir],
      { env: { KMODLAYER_BUILD_ARGS: '--isolation chroot --network host' } },
    );
    const [built] = await build(accepted);

    expect(refusal.exitCode).toBe(6);
    expect(refusal.stderr).toContain('replaces: [dummy]');
    const root = await unpack(built!.image, 'replaced');
    expect((await judgeWithDepmod(root, kernelRelease)).changed).toEqual([]);
    const booted = await bootAndLoad({ root, kernelRelease, modprobe: ['dummy'] });
    expect(booted.loads, booted.console).toMatchObject([{ exitCode: 0 }]);
    expect(booted.kernelLog).toEqual(expect.arrayContaining([expect.stringContaining('dummy: out of tree')]));
  });
});
