import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootAndLoad } from '../support/boot.ts';
import { judgeWithDepmod, unpackImage } from '../support/merged-root.ts';
import { startWorldGraph, startWorldRegistry, type WorldRegistry, worldRelease } from '../support/world.ts';

const run = promisify(execFile);
const HELLO = join(import.meta.dirname, '../../fixtures/drivers/hello');

describe('the world', () => {
  let registry: WorldRegistry;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-world-'));
    registry = await startWorldRegistry();
  });
  afterAll(async () => {
    await registry.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const unpack = async (image: string, name: string): Promise<string> => {
    const to = join(scratch, name);
    if (existsSync(to)) return to;
    await unpackImage({ ...registry, image: `docker://${image}`, to });
    return to;
  };
  const inspect = async (image: string): Promise<{ Labels: Record<string, string>; Layers: string[] }> => {
    const access = ['--cert-dir', registry.certDir, '--authfile', registry.authFile];
    const { stdout } = await run('skopeo', ['inspect', ...access, `docker://${image}`]);
    return JSON.parse(stdout) as { Labels: Record<string, string>; Layers: string[] };
  };

  it('keeps its images from those who have no credentials', async () => {
    const { pullspec } = worldRelease('4.18.4');

    const attempt = run('skopeo', [
      'inspect',
      '--no-creds',
      '--cert-dir',
      registry.certDir,
      `docker://${pullspec}`,
    ]);

    await expect(attempt).rejects.toThrow(/unauthorized|authentication required/);
  });

  it('has a payload that names its components in its own registry, by digest', async () => {
    const release = worldRelease('4.18.4');

    const root = await unpack(release.pullspec, 'payload');

    const text = await readFile(join(root, 'release-manifests/image-references'), 'utf8');
    const { spec } = JSON.parse(text) as { spec: { tags: { name: string; from: { name: string } }[] } };
    const osTag = spec.tags.find(({ name }) => name === 'rhel-coreos');
    expect(osTag?.from.name).toBe(release.streams[0]?.osImage);
    expect(spec.tags.length).toBeGreaterThan(20);
  });

  it.each([
    ['4.16.10', 0],
    ['4.18.4', 0],
    ['4.19.1', 0],
    ['4.22.1', 1],
  ])('has an OS image of %s whose indexes are what the real depmod writes', async (version, index) => {
    const stream = worldRelease(version).streams[index]!;
    const root = await unpack(stream.osImage, `os-${version}`);

    const verdict = await judgeWithDepmod(root, stream.kernelRelease);

    expect(verdict.changed).toEqual([]);
    expect(verdict.compared).toContain('modules.symbols.bin');
    expect(existsSync(join(root, 'usr/lib/modules', stream.kernelRelease, 'vmlinuz'))).toBe(true);
  });

  it('removes with a node layer what the base has', async () => {
    const root = await unpack(worldRelease('4.19.1').streams[0]!.osImage, 'os-4.19.1');

    const files = await readdir(join(root, 'usr/share/doc/release'), { recursive: true });

    expect(files.sort()).toEqual(['extra', 'extra/node']);
    expect(existsSync(join(root, 'usr/share/openshift/base/meta.json'))).toBe(true);
  });

  it('labels its OS images as their times did', async () => {
    const chunked = worldRelease('4.16.10').streams[0]!;

    const old = await inspect(chunked.osImage);
    const recent = await inspect(worldRelease('4.22.1').streams[0]!.osImage);

    expect(old.Labels['ostree.linux']).toBe(chunked.kernelRelease);
    expect(old.Labels['version']).toBe(chunked.machineOs);
    expect(recent.Labels['ostree.linux']).toBe('true');
    expect(recent.Labels['io.openshift.metalayer']).toBe('true');
    expect(old.Layers.length).toBeGreaterThan(8);
  });

  it('runs depmod in a container of an OS image and finds nothing to change', async () => {
    const { osImage, kernelRelease } = worldRelease('4.18.5').streams[0]!;
    const root = await unpack(osImage, 'os-4.18.5');
    const file = join(root, 'usr/lib/modules', kernelRelease, 'modules.dep.bin');
    const before = await readFile(file);

    await run('chroot', [
      root,
      'sh',
      '-c',
      `depmod -a ${kernelRelease} && modinfo -k ${kernelRelease} -n dummy`,
    ]);

    expect((await readFile(file)).equals(before)).toBe(true);
  });

  it('compiles a driver in its driver-toolkit, and the OS image boots and loads it', async () => {
    const { driverToolkit, osImage, kernelRelease } = worldRelease('4.18.4').streams[0]!;
    const toolkit = await unpack(driverToolkit, 'driver-toolkit');
    const root = await unpack(osImage, 'os-4.18.4');
    await cp(HELLO, join(toolkit, 'src'), { recursive: true });

    await run('chroot', [toolkit, 'make', '-C', '/src', `KERNEL_RELEASE=${kernelRelease}`]);
    for (const name of ['kl_base.ko', 'kl_hello.ko']) {
      await cp(join(toolkit, 'src', name), join(root, 'usr/lib/modules', kernelRelease, 'extra', name));
    }
    await judgeWithDepmod(root, kernelRelease);
    const result = await bootAndLoad({ root, kernelRelease, modprobe: ['kl_hello greeting=ahoy', 'dummy'] });

    expect(result.loads.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(result.kernelRelease).toBe(kernelRelease);
    expect(result.loadedModules).toEqual(expect.arrayContaining(['kl_base', 'kl_hello', 'dummy']));
    expect(result.kernelLog).toContain('kl_base: ahoy');
  });

  it('has headers of the RT kernel in a driver-toolkit that names one', async () => {
    const stream = worldRelease('4.18.4').streams[0]!;
    const toolkit = await unpack(stream.driverToolkit, 'driver-toolkit');

    const facts = await readFile(join(toolkit, 'etc/driver-toolkit-release.json'), 'utf8');

    expect(JSON.parse(facts)).toEqual({
      KERNEL_VERSION: stream.kernelRelease,
      RT_KERNEL_VERSION: stream.rtKernelRelease,
      RHEL_VERSION: '9.4',
    });
    expect(existsSync(join(toolkit, 'usr/src/kernels', stream.rtKernelRelease!, 'scripts/sign-file'))).toBe(
      true,
    );
  });

  it('answers questions about updates', async () => {
    const graph = await startWorldGraph();

    const response = await fetch(`${graph.url}?channel=stable-4.18&arch=amd64`);

    const { nodes } = (await response.json()) as { nodes: { version: string; payload: string }[] };
    expect(nodes.find(({ version }) => version === '4.18.4')?.payload).toContain(
      worldRelease('4.18.4').digest,
    );
    await graph.stop();
  });

  it('forgets what a test pushed', async () => {
    const access = ['--dest-cert-dir', registry.certDir, '--authfile', registry.authFile];
    const { extensions } = worldRelease('4.18.4').streams[0]!;
    const target = `docker://${registry.host}/test/pushed:1`;
    await run('skopeo', [
      'copy',
      '-q',
      '--src-cert-dir',
      registry.certDir,
      ...access,
      `docker://${extensions}`,
      target,
    ]);
    await registry.stop();

    registry = await startWorldRegistry();

    await expect(inspect(`${registry.host}/test/pushed:1`)).rejects.toThrow(/unknown/);
  });
});
