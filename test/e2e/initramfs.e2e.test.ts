import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import { worldDirectory, worldRelease } from '../support/world.ts';

const run = promisify(execFile);
const MODULES = resolve('fixtures/quickstart/modules');

let place: string;
let kernel: string;
let output: string;

/** What stands on the disk says which modules it finds. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc 2>/dev/null
exec >/dev/kmsg 2>&1
echo "root: init of the root file system"
echo "root: $(/bin/busybox grep -cE '^kl_(hello|base) ' /proc/modules) modules of ours"
/bin/busybox poweroff -f
`;

function makeDisk(): string {
  const disk = join(place, 'disk');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'run', 'etc', 'sbin', 'usr/lib', 'tmp'])
    mkdirSync(join(disk, name), { recursive: true });
  cpSync('/usr/bin/busybox', join(disk, 'bin/busybox'));
  for (const path of ['etc/os-release', 'usr/lib/os-release'])
    writeFileSync(join(disk, path), 'NAME=test\nID=test\n');
  writeFileSync(join(disk, 'sbin/init'), INIT);
  chmodSync(join(disk, 'sbin/init'), 0o755);
  const image = join(place, 'root.img');
  execFileSync('truncate', ['-s', '64M', image]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', disk, image]);
  return image;
}

beforeAll(async () => {
  place = mkdtempSync('/var/tmp/kmodlayer-initramfs-');
  kernel = worldRelease('4.18.4').streams[0]?.kernelRelease ?? '';
  await run('bash', ['test/e2e/make-dracut-base.sh', worldDirectory(), place, kernel]);
  const made = await runCli([
    ...['initrd', '--base', join(place, 'root'), '--kernel', kernel, '--initramfs', join(place, 'base.img')],
    ...[join(MODULES, 'kl_base.ko'), join(MODULES, 'kl_hello.ko'), '--out', join(place, 'ours.cpio')],
  ]);
  expect(made, made.stderr).toMatchObject({ exitCode: 0 });
  output = made.stdout;
}, 600_000);

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

describe('an archive for an initramfs that dracut made', () => {
  it('has indexes that depmod would not change in what both come to', () => {
    const union = join(place, 'union');
    mkdirSync(union);
    execFileSync(
      'sh',
      ['-c', 'gzip -dc ../base.img | cpio -idmu --quiet && cpio -idmu --quiet <../ours.cpio'],
      {
        cwd: union,
      },
    );
    const directory = join(union, 'usr/lib/modules', kernel);
    const indexes = (): ReadonlyMap<string, Buffer> =>
      new Map(
        readdirSync(directory)
          .filter((name) => name.startsWith('modules.'))
          .map((name) => [name, readFileSync(join(directory, name))]),
      );
    const before = indexes();

    execFileSync('depmod', ['-a', '-b', union, kernel]);

    expect(output).toContain('updates/initrd/kl_hello.ko');
    expect([...before.keys()]).toContain('modules.dep.bin');
    for (const [name, bytes] of indexes()) expect(before.get(name)?.equals(bytes), name).toBe(true);
    const listed = execFileSync('cpio', ['-t', '--quiet'], { input: readFileSync(join(place, 'ours.cpio')) });
    expect(listed.toString()).toContain('usr/lib/modules-load.d/kmodlayer-initrd.conf');
  });

  it('is loaded by systemd before the root is switched', async () => {
    const base = readFileSync(join(place, 'base.img'));
    const padding = Buffer.alloc((4 - (base.length % 4)) % 4);
    writeFileSync(
      join(place, 'full.img'),
      Buffer.concat([base, padding, readFileSync(join(place, 'ours.cpio'))]),
    );
    const vmlinuz = join(worldDirectory(), 'kernels', kernel, 'boot', `vmlinuz-${kernel}`);
    const command =
      'console=ttyS0 root=/dev/vda rw loglevel=7 panic=-1 init=/sbin/init systemd.log_target=kmsg rd.timeout=100';

    const { stdout } = await run(
      'timeout',
      [
        ...[
          '300',
          'qemu-system-x86_64',
          '-accel',
          'tcg',
          '-cpu',
          'max',
          '-m',
          '1024',
          '-smp',
          '1',
          '-nographic',
        ],
        ...['-no-reboot', '-nodefaults', '-serial', 'stdio', '-monitor', 'none', '-kernel', vmlinuz],
        ...['-initrd', join(place, 'full.img'), '-drive', `file=${makeDisk()},format=raw,if=virtio`],
        ...['-append', command],
      ],
      { maxBuffer: 2 ** 26 },
    );

    const at = (text: string): number => stdout.indexOf(text);
    expect(at("Inserted module 'kl_hello'"), stdout.slice(-5000)).toBeGreaterThan(0);
    expect(at("Inserted module 'kl_hello'")).toBeLessThan(at('root: init of the root file system'));
    expect(stdout).toContain('root: 2 modules of ours');
  }, 400_000);
});
