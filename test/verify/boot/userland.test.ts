import { describe, expect, it } from 'vitest';
import { follow, type Root, type RootNode } from '../../../src/verify/boot/root.ts';
import { collectUserland } from '../../../src/verify/boot/userland.ts';
import { makeProgram } from './make-program.ts';

type Tree = Readonly<Record<string, Uint8Array | string>>;

/** A root of files (bytes) and links (text). */
function rootOf(tree: Tree): Root {
  const nodes = new Map(
    Object.entries(tree).map(([path, what]): [string, RootNode] => [
      path,
      typeof what === 'string' ? { type: 'symlink', target: what } : { type: 'file', bytes: what },
    ]),
  );
  return { find: (path) => Promise.resolve(nodes.get(path)) };
}

const LOADER = makeProgram();
const LIBC = makeProgram();
const program = (...libraries: readonly string[]): Buffer =>
  makeProgram({ interpreter: '/lib64/ld-linux-x86-64.so.2', libraries: [...libraries, 'libc.so.6'] });

/** As RHEL has it: programs of their own, libraries in lib64, top-level links. */
const RHEL: Tree = {
  bin: 'usr/bin',
  lib64: 'usr/lib64',
  'usr/bin/sh': 'bash',
  'usr/bin/bash': program('libtinfo.so.6'),
  'usr/bin/mount': program(),
  'usr/bin/cat': program(),
  'usr/bin/kmod': program('liblzma.so.5'),
  ...Object.fromEntries(
    ['modprobe', 'insmod', 'rmmod', 'lsmod'].map((name) => [`usr/sbin/${name}`, '../bin/kmod']),
  ),
  'usr/lib64/ld-linux-x86-64.so.2': LOADER,
  'usr/lib64/libc.so.6': LIBC,
  'usr/lib64/libtinfo.so.6': 'libtinfo.so.6.2',
  'usr/lib64/libtinfo.so.6.2': makeProgram({ libraries: ['libc.so.6'] }),
  'usr/lib64/liblzma.so.5': makeProgram({ libraries: ['libc.so.6'] }),
};

function without(...paths: readonly string[]): Tree {
  return Object.fromEntries(Object.entries(RHEL).filter(([path]) => !paths.includes(path)));
}

async function pathsOf(
  tree: Tree,
): Promise<{ readonly paths: readonly string[]; readonly missing: readonly string[] }> {
  const { entries, missing } = await collectUserland(rootOf(tree));
  return {
    paths: entries
      .map((entry) => (entry.type === 'symlink' ? `${entry.path} -> ${entry.target}` : entry.path))
      .sort(),
    missing,
  };
}

describe('collectUserland()', () => {
  it('finds programs, their libraries and the links that lead to them', async () => {
    expect(await pathsOf(RHEL)).toEqual({
      paths: [
        'bin -> usr/bin',
        'lib -> usr/lib',
        'lib64 -> usr/lib64',
        'sbin -> usr/sbin',
        'usr/bin/bash',
        'usr/bin/cat',
        'usr/bin/kmod',
        'usr/bin/mount',
        'usr/bin/sh -> bash',
        'usr/lib64/ld-linux-x86-64.so.2',
        'usr/lib64/libc.so.6',
        'usr/lib64/liblzma.so.5',
        'usr/lib64/libtinfo.so.6 -> libtinfo.so.6.2',
        'usr/lib64/libtinfo.so.6.2',
        'usr/sbin/insmod -> ../bin/kmod',
        'usr/sbin/lsmod -> ../bin/kmod',
        'usr/sbin/modprobe -> ../bin/kmod',
        'usr/sbin/rmmod -> ../bin/kmod',
      ],
      missing: [],
    });
  });

  it('follows a sbin that is a link to bin', async () => {
    const { paths, missing } = await pathsOf({
      ...without(...Object.keys(RHEL).filter((path) => path.startsWith('usr/sbin/'))),
      'usr/sbin': 'bin',
      ...Object.fromEntries(
        ['modprobe', 'insmod', 'rmmod', 'lsmod'].map((name) => [`usr/bin/${name}`, 'kmod']),
      ),
    });

    expect(missing).toEqual([]);
    expect(paths).toContain('usr/sbin -> bin');
    expect(paths).toContain('usr/bin/modprobe -> kmod');
  });

  it('takes busybox for what is not there, and the program that a script names', async () => {
    const { paths, missing } = await pathsOf({
      ...without('usr/bin/mount'),
      'usr/bin/busybox': makeProgram(),
      'usr/bin/cat': Buffer.from('#!/usr/bin/coreutils --coreutils-prog-shebang=cat\n'),
      'usr/bin/coreutils': program(),
    });

    expect(missing).toEqual([]);
    expect(paths).toContain('usr/bin/busybox');
    expect(paths).toContain('usr/bin/coreutils');
  });

  it('looks where a program says first', async () => {
    const { paths } = await pathsOf({
      ...RHEL,
      'usr/bin/cat': makeProgram({ libraries: ['libc.so.6'], runPath: '$ORIGIN/../lib/private' }),
      'usr/lib/private/libc.so.6': makeProgram(),
    });

    expect(paths).toContain('usr/lib/private/libc.so.6');
  });

  it('says what is missing', async () => {
    const { missing } = await pathsOf(without('usr/bin/sh', 'usr/sbin/modprobe', 'usr/lib64/liblzma.so.5'));

    expect(missing).toEqual(['/bin/sh', '/usr/bin/modprobe', 'liblzma.so.5']);
  });

  it('finds nothing in nothing', async () => {
    const { missing } = await pathsOf({});

    expect(missing).toContain('/bin/sh');
  });
});

describe('follow()', () => {
  it.each([
    ['a plain path', 'a/b', 'a/b'],
    ['a link beside it', 'link', 'a/b'],
    ['an absolute link', 'absolute', 'a/b'],
    ['a link upwards', 'a/up', 'c'],
    ['a linked directory', 'directory/b', 'a/b'],
    ['more upwards than there is', '../../a/b', 'a/b'],
  ])('follows %s', async (_, path, target) => {
    const root = rootOf({
      'a/b': Buffer.from('b'),
      c: Buffer.from('c'),
      link: 'a/b',
      absolute: '/a/b',
      'a/up': '../c',
      directory: 'a',
    });

    expect((await follow(root, path))?.path).toBe(target);
  });

  it.each(['loop', 'nowhere', 'a/b/c'])('does not follow %s', async (path) => {
    expect(await follow(rootOf({ loop: 'loop', 'a/b': Buffer.from('b') }), path)).toBeUndefined();
  });
});
