import { createCipheriv, createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Component, OsFile } from './ostree-layers.ts';

/** Debian's packages by the names that Red Hat's have. */
const PACKAGES: Readonly<Record<string, { readonly name: string; readonly identifier: string }>> = {
  'busybox-static': { name: 'busybox', identifier: 'busybox-1.35.0-4.el9.x86_64' },
  // busybox's own shell would run busybox's own depmod.
  dash: { name: 'bash', identifier: 'bash-5.1.8-9.el9.x86_64' },
  kmod: { name: 'kmod', identifier: 'kmod-28-10.el9.x86_64' },
  libkmod2: { name: 'kmod-libs', identifier: 'kmod-libs-28-10.el9.x86_64' },
  libc6: { name: 'glibc', identifier: 'glibc-2.34-100.el9_4.4.x86_64' },
  liblzma5: { name: 'xz-libs', identifier: 'xz-libs-5.2.5-8.el9_0.x86_64' },
  libzstd1: { name: 'libzstd', identifier: 'libzstd-1.5.1-2.el9.x86_64' },
  libssl3: { name: 'openssl-libs', identifier: 'openssl-libs-3.0.7-28.el9_4.x86_64' },
};

const APPLETS = [
  'cat',
  'chmod',
  'cp',
  'cut',
  'echo',
  'env',
  'false',
  'find',
  'grep',
  'ls',
  'mkdir',
  'mv',
].concat([...['pwd', 'rm', 'sed', 'sleep', 'sort', 'tail', 'test', 'touch', 'true', 'uname', 'wc', 'xargs']]);

/** The OS apart from its kernel: enough that a container of the image runs a shell and depmod. */
export function osComponents(directory: string): readonly Component[] {
  const packages = Object.entries(PACKAGES).map(([debName, { name, identifier }]) => ({
    name,
    identifier,
    files: [...readFiles(join(directory, debName)), ...(name === 'busybox' ? appletLinks() : [])],
  }));
  const firmware = ['intel/ice/ddp/ice-1.3.36.0.pkg', 'amdgpu/vega10_gpu_info.bin', 'README'].map((path) => ({
    path: `usr/lib/firmware/${path}`,
    mode: 0o644,
    content: () => noise(path, 60_000),
  }));
  const capable: OsFile = {
    path: 'usr/libexec/newidmap',
    mode: 0o755,
    content: () => Buffer.from('#!/bin/sh\n'),
    xattrs: { 'user.package': 'shadow-utils' },
  };
  return [
    ...packages,
    { name: 'linux-firmware', identifier: 'linux-firmware-20230210-143.el9.noarch', files: firmware },
    { name: 'shadow-utils', identifier: 'shadow-utils-4.9-8.el9.x86_64', files: [capable] },
  ];
}

function* readFiles(root: string, prefix = ''): Generator<OsFile> {
  for (const name of readdirSync(join(root, prefix)).sort()) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    const file = join(root, path);
    const stat = lstatSync(file);
    if (stat.isDirectory()) yield* readFiles(root, path);
    else if (stat.isSymbolicLink()) yield { path, mode: 0o777, target: readlinkSync(file) };
    else yield { path, mode: stat.mode & 0o7777, content: () => readFileSync(file) };
  }
}

function appletLinks(): readonly OsFile[] {
  return APPLETS.map((name) => ({ path: `usr/bin/${name}`, mode: 0o777, target: 'busybox' }));
}

/** Filler chunks for an image of a real one's size: files that compress to two fifths of their size. */
export function fillerChunks(
  count: number,
  filesInEach: number,
  bytesInEach: number,
): readonly Component[][] {
  return Array.from({ length: count }, (_, chunk) => [
    {
      name: `filler-${chunk}`,
      identifier: `filler-${chunk}-1.0-1.el9.x86_64`,
      files: Array.from({ length: filesInEach }, (__, index) => {
        const key = `filler ${chunk} ${index}`;
        const size = Math.round((bytesInEach / filesInEach) * (0.5 + (index % 11) / 10));
        return {
          path: `usr/share/filler/package-with-a-rather-long-name-${chunk}/directory-${index % 40}/file-number-${index}`,
          mode: 0o644,
          contentKey: `${key} ${size}`,
          content: () =>
            Buffer.concat([
              noise(key, Math.round(size * 0.38)),
              Buffer.alloc(Math.round(size * 0.62), 'a line of text that repeats\n'),
            ]),
        };
      }),
    },
  ]);
}

/** Bytes that do not compress, always the same for the same key. */
export function noise(key: string, sizeBytes: number): Buffer {
  const secret = createHash('sha256').update(key).digest();
  return createCipheriv('aes-256-ctr', secret, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}
