import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeNodeIo } from '../../cli/node-io.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { bootProof } from '../../src/verify/boot/boot-proof.ts';
import { fetchKernel, fetchPackages } from './depmod-packages.ts';

const run = promisify(execFile);

/** A shell, mount, cat and kmod as distributions have them, with all of their libraries. */
const USERLAND = ['dash', 'coreutils', 'mount', 'kmod'].concat(
  ...['libkmod2', 'libc6', 'liblzma5', 'libzstd1', 'libssl3', 'libacl1', 'libattr1', 'libgmp10'],
  ...['libselinux1', 'libpcre2-8-0', 'libmount1', 'libblkid1'],
);

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-arches-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A root whose kernel and userland are Debian's for that architecture. */
async function makeRoot(debian: 'arm64' | 'ppc64el' | 's390x'): Promise<{ root: string; kernel: string }> {
  const { kernelRelease, directory } = await fetchKernel(debian);
  const root = join(scratch, debian);
  await cp(await fetchPackages(`userland-${debian}`, debian, USERLAND), root, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const modules = join(root, 'lib/modules', kernelRelease);
  await mkdir(dirname(modules), { recursive: true });
  await cp(directory, modules, { recursive: true });
  await symlink(join(directory, '../../../boot'), join(root, 'boot'));
  await run('depmod', ['-b', root, kernelRelease]);
  return { root, kernel: kernelRelease };
}

/** QEMU out of its package, with the firmware of the machine's own. */
async function makeQemu(name: string, debian: string): Promise<string> {
  const unpacked = await fetchPackages(`qemu-${debian}`, 'amd64', [debian]);
  const program = join(scratch, name);
  await writeFile(program, `#!/bin/sh\nexec '${unpacked}/usr/bin/${name}' -L /usr/share/qemu "$@"\n`, {
    mode: 0o755,
  });
  return program;
}

it.each([
  { arch: 'aarch64', debian: 'arm64', qemu: 'qemu-system-aarch64', from: 'qemu-system-arm' },
  { arch: 'ppc64le', debian: 'ppc64el', qemu: 'qemu-system-ppc64', from: 'qemu-system-ppc' },
  { arch: 's390x', debian: 's390x', qemu: 'qemu-system-s390x', from: 'qemu-system-misc' },
] as const)('bootProof() shows what loads on $arch', async ({ arch, debian, qemu, from }) => {
  const { root, kernel } = await makeRoot(debian);
  const io = await makeNodeIo({
    env: { ...process.env, KMODLAYER_QEMU: await makeQemu(qemu, from), XDG_CACHE_HOME: scratch },
  });

  const report = await bootProof(
    {
      subject: arch,
      source: { type: 'directory', path: root },
      arch,
      kernel: parseKernelRelease(kernel),
      modules: ['dummy', 'xt_limit', 'zram'],
    },
    io,
  );

  expect(report, report.console).toMatchObject({ verdict: 'passes', kernelRelease: kernel, tainted: 0 });
  expect(report.modules.map(({ outcome }) => outcome)).toEqual(['loaded', 'loaded', 'loaded']);
  expect(report.loadedModules.join('\n')).toMatch(/^x_tables +\d+ +1 xt_limit$/m);
});
