import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { readBenchRelease } from './bench-release.ts';
import { type Command, measure, type Sample } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const BARE = 'qemu to a shell';

/**
 * What it takes to see modules load: the whole command, static proof included, beside a bare boot of the same kernel to
 * a shell that powers off. All without KVM, which few build machines have.
 */
export async function benchBoot(directory: string): Promise<readonly Row[]> {
  const { kernelTree, stream } = readBenchRelease();
  const kernel = stream.kernelRelease;
  const work = join(directory, 'boot');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const bare = bareBoot(join(kernelTree, 'usr/lib/modules', kernel, 'vmlinuz'), work);
  const { modules, certificate } = signedModules(work);
  const proof = (...flags: readonly string[]): Command => ({
    argv: [
      ...[process.execPath, resolve('dist/cli/main.js'), 'verify', '--base', kernelTree, '--kernel', kernel],
      ...['--cert', certificate, '--boot-root', '/', ...flags, ...modules],
    ],
    env: { KMODLAYER_ACCELERATOR: 'tcg' },
  });
  const steps = [
    { name: BARE, command: bare },
    { name: 'verify --boot', command: proof('--boot'), goal: 1 / 2 },
    { name: 'verify --secure-boot', command: proof('--secure-boot'), goal: 1 / 4 },
  ];
  const samples = steps.map((): Sample[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    steps.forEach(({ command }, at) => samples[at]?.push(measure([command], { disk: directory })));
  }
  return steps.map(({ name, goal }, at) => ({
    name,
    samples: samples[at] ?? [],
    ...(goal === undefined ? {} : { against: [{ name: BARE, goal }] }),
  }));
}

/** The least that is a boot: busybox is the first process, and its shell powers off. */
function bareBoot(vmlinuz: string, work: string): Command {
  const root = join(work, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  writeFileSync(join(root, 'init'), '#!/bin/busybox sh\necho shell\n/bin/busybox poweroff -f\n', {
    mode: 0o755,
  });
  const initramfs = join(work, 'bare.cpio');
  execFileSync('sh', ['-c', 'cd "$1" && find . | cpio --quiet -o -H newc >"$2"', 'sh', root, initramfs]);
  return {
    argv: [
      ...['qemu-system-x86_64', '-machine', 'pc', '-accel', 'tcg', '-cpu', 'max', '-m', '768', '-smp', '1'],
      ...['-no-user-config', '-nodefaults', '-display', 'none', '-monitor', 'none', '-no-reboot'],
      ...['-serial', `file:${join(work, 'console')}`, '-kernel', vmlinuz, '-initrd', initramfs],
      ...['-append', 'console=ttyS0 quiet panic=-1'],
    ],
  };
}

/** Two modules, signed with a key of their own. */
function signedModules(work: string): { readonly modules: readonly string[]; readonly certificate: string } {
  const [key, certificate] = [join(work, 'signing.key'), join(work, 'signing.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', '/CN=bench'],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=codeSigning'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  );
  const files = ['kl_base.ko', 'kl_hello.ko'].map((name) => resolve('fixtures/quickstart/modules', name));
  const output = join(work, 'signed');
  execFileSync(process.execPath, [
    ...[resolve('dist/cli/main.js'), 'sign', '--key', key, '--cert', certificate, '--quiet'],
    ...['--output-dir', output, ...files],
  ]);
  return { modules: files.map((file) => join(output, basename(file))), certificate };
}
