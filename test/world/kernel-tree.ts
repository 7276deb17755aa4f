import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const run = promisify(execFile);

/** RHEL's order of preference, as its kmod package ships it. */
export const DEPMOD_CONFIG = 'search updates extra built-in weak-updates\n';

export interface KernelTreeOptions {
  /** Directory with the unpacked packages: `lib/modules/<release>`, `boot`, `usr/src`. */
  readonly packages: string;
  readonly kernelRelease: string;
  /** Says whether the tree starts with this module; what it depends on follows. */
  readonly isSeed: (path: string) => boolean;
  /** Where the tree is made: `<to>/usr/lib/modules/<release>`. */
  readonly to: string;
  /** Leave out vmlinuz, System.map and initramfs. */
  readonly isWithoutKernel?: boolean;
  /** Bytes that do not compress, put after the initramfs. */
  readonly initramfsPadding?: Buffer;
}

/**
 * Makes the module tree of an OS image as a RHEL node has it: modules compressed with xz, symvers.gz, kernel, config,
 * and the indexes that the real depmod writes with RHEL's configuration. Does nothing when the tree is there.
 */
export async function makeKernelTree(options: KernelTreeOptions): Promise<void> {
  if (existsSync(options.to)) return;
  const partial = `${options.to}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const modules = join(partial, 'usr/lib/modules', options.kernelRelease);
  mkdirSync(join(partial, 'usr/lib/depmod.d'), { recursive: true });
  mkdirSync(modules, { recursive: true });
  symlinkSync('usr/lib', join(partial, 'lib'));
  writeFileSync(join(partial, 'usr/lib/depmod.d/dist.conf'), DEPMOD_CONFIG);

  await copyModules(options, modules);
  copyKernelFiles(options, modules);
  if (options.isWithoutKernel !== true) {
    const initramfs = join(modules, 'initramfs.img');
    await makeInitramfs(initramfs);
    if (options.initramfsPadding !== undefined) appendFileSync(initramfs, options.initramfsPadding);
  }
  const config = join(partial, 'usr/lib/depmod.d');
  await run('depmod', ['-a', '-b', partial, '-C', config, options.kernelRelease]);
  renameSync(partial, options.to);
}

async function copyModules(options: KernelTreeOptions, modules: string): Promise<void> {
  const from = join(options.packages, 'lib/modules', options.kernelRelease);
  await run('depmod', ['-a', '-b', options.packages, options.kernelRelease]);
  const dependencies = new Map(
    readFileSync(join(from, 'modules.dep'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [path = '', rest = ''] = line.split(':');
        return [path, rest.split(' ').filter(Boolean)] as const;
      }),
  );
  const wanted = new Set([...dependencies.keys()].filter(options.isSeed));
  for (const path of [...wanted]) for (const other of dependencies.get(path) ?? []) wanted.add(other);
  for (const path of wanted) {
    mkdirSync(dirname(join(modules, path)), { recursive: true });
    cpSync(join(from, path), join(modules, path));
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    cpSync(join(from, name), join(modules, name));
  }
  // Some of Debian's kernels come with compressed modules.
  const files = [...wanted].filter((path) => path.endsWith('.ko')).map((path) => join(modules, path));
  const compress = run('xargs', [
    '-0r',
    '-n',
    '16',
    '-P',
    String(cpus().length),
    'xz',
    '--check=crc32',
    '--lzma2=dict=1MiB',
  ]);
  compress.child.stdin?.end(files.join('\0'));
  await compress;
}

function copyKernelFiles(options: KernelTreeOptions, modules: string): void {
  const boot = join(options.packages, 'boot');
  const release = options.kernelRelease;
  cpSync(join(boot, `config-${release}`), join(modules, 'config'));
  const symvers = readFileSync(join(options.packages, `usr/src/linux-headers-${release}/Module.symvers`));
  writeFileSync(join(modules, 'symvers.gz'), gzipSync(symvers, { level: 9 }));
  if (options.isWithoutKernel === true) return;
  cpSync(join(boot, `vmlinuz-${release}`), join(modules, 'vmlinuz'), { dereference: true });
  cpSync(join(boot, `System.map-${release}`), join(modules, 'System.map'));
  const hmac = createHmac('sha512', 'FIPS')
    .update(readFileSync(join(modules, 'vmlinuz')))
    .digest('hex');
  writeFileSync(join(modules, '.vmlinuz.hmac'), `${hmac}  vmlinuz\n`);
}

/** A small one that boots to a shell prompt's worth of busybox and powers off. */
async function makeInitramfs(file: string): Promise<void> {
  const root = `${file}.root`;
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'), { dereference: true });
  const init = '#!/bin/busybox sh\necho "initramfs of the OS image"\n/bin/busybox poweroff -f\n';
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  await run('sh', [
    '-c',
    'cd "$1" && find . | sort | cpio --quiet --reproducible -o -H newc | gzip -n > "$2"',
    'sh',
    root,
    file,
  ]);
  rmSync(root, { recursive: true });
}

/** Where a file of the module tree comes from, as RHEL splits its kernel into packages. */
export type KernelPart = 'kernel-core' | 'kernel-modules-core' | 'kernel-modules' | 'initramfs' | 'generated';

const CORE_FILES = new Set(['vmlinuz', '.vmlinuz.hmac', 'System.map', 'config', 'symvers.gz']);
const CORE_MODULES = /^kernel\/(crypto|lib|net|fs|arch|drivers\/(block|virtio|net|acpi|nvme|char))\//;

/** The part that a path under `usr/lib/modules/<release>` belongs to. */
export function partOf(path: string): KernelPart {
  if (path === 'initramfs.img') return 'initramfs';
  if (CORE_FILES.has(path)) return 'kernel-core';
  if (['modules.order', 'modules.builtin', 'modules.builtin.modinfo'].includes(path)) {
    return 'kernel-modules-core';
  }
  if (path.startsWith('kernel/')) return CORE_MODULES.test(path) ? 'kernel-modules-core' : 'kernel-modules';
  return 'generated';
}

/** Files under a directory, as paths relative to it. */
export function filesUnder(directory: string, prefix = ''): readonly string[] {
  return readdirSync(join(directory, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    return entry.isDirectory() ? filesUnder(directory, path) : [path];
  });
}

const SEEDS = [
  /^kernel\/(crypto|lib)\//,
  /^kernel\/net\/(netfilter|ipv4|ipv6|bridge|sched|core|802|8021q|llc|packet|vmw_vsock|vxlan|openvswitch|can)\//,
  /^kernel\/fs\/(xfs|ext4|jbd2|overlayfs|fuse|nfs|nfs_common|lockd|fat|isofs|squashfs|btrfs)\//,
  /^kernel\/drivers\/(virtio|nvme|md|acpi|vhost|ptp|gnss)\//,
  /^kernel\/drivers\/block\/(zram|loop|nbd|virtio_blk|brd|rbd)/,
  /^kernel\/drivers\/char\/(hw_random|ipmi)\//,
  /^kernel\/drivers\/net\/[^/]+\.ko(\.xz)?$/,
  /^kernel\/drivers\/net\/(vxlan|bonding|team|can\/vcan|ethernet\/(intel|mellanox|broadcom))/,
  /^kernel\/drivers\/media\/(mc|v4l2-core|common|usb\/uvc)\//,
];

/** The modules that the world's releases start from: some 700 with what they need. */
export function isWorldSeed(path: string): boolean {
  return SEEDS.some((seed) => seed.test(path));
}

const QUICKSTART = new Set([
  ...[
    'dummy',
    'ifb',
    'nlmon',
    'veth',
    'macvlan',
    'tun',
    'mc',
    'gnss',
    'x_tables',
    'ip_tables',
    'iptable_filter',
  ],
  ...[
    'nf_conntrack',
    'nf_defrag_ipv4',
    'nf_defrag_ipv6',
    'nf_nat',
    'xt_conntrack',
    'xt_mark',
    'xt_comment',
    'llc',
  ],
  ...[
    'stp',
    'bridge',
    '8021q',
    'garp',
    'mrp',
    'zram',
    'brd',
    'virtio_rng',
    'crc32c_generic',
    'xxhash_generic',
  ],
  ...[
    'sch_ingress',
    'cls_basic',
    'act_mirred',
    'vcan',
    'ptp',
    'pps_core',
    'libcrc32c',
    'xt_tcpudp',
    'nfnetlink',
  ],
]);

/** The modules that the quickstart's OS image starts from: some 40. */
export function isQuickstartSeed(path: string): boolean {
  return QUICKSTART.has(basename(path, '.ko'));
}
