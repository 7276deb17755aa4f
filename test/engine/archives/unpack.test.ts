import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackArchive } from '../../../src/engine/archives/unpack.ts';
import { storeXz } from '../../../src/kmod/xz-writer.ts';
import { writeZstd } from '../../../src/kmod/zstd.ts';
import { END_OF_TAR, rawEntry } from '../../support/raw-tar.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const { signal } = new AbortController();

/** Unpacks bytes and lists what came out. */
async function unpack(bytes: Uint8Array, inside?: string): Promise<readonly string[]> {
  const file = join(directory, 'driver.tar');
  writeFileSync(file, bytes);
  const to = join(directory, 'out');
  await unpackArchive({ file, name: 'driver.tar', to, directory: inside, signal });
  return (readdirSync(to, { recursive: true }) as string[]).sort();
}

/** A tar of the program tar, with a program, a directory, and links. */
function realTar(): Buffer {
  const root = join(directory, 'driver-1.0');
  mkdirSync(join(root, 'src/empty'), { recursive: true });
  writeFileSync(join(root, 'configure'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(root, 'src/a.c'), 'int a;\n'.repeat(50_000));
  writeFileSync(join(root, `src/${'long-'.repeat(30)}name.h`), '');
  symlinkSync('src/a.c', join(root, 'b.c'));
  symlinkSync('../configure', join(root, 'src/again'));
  return execFileSync('tar', ['-C', directory, '-cf', '-', 'driver-1.0'], { maxBuffer: 1e8 });
}

function tar(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, END_OF_TAR]);
}

const file = (name: string, text = 'x'): Buffer => rawEntry({ name }, text);
const link = (name: string, linkName: string): Buffer => rawEntry({ name, type: '2', linkName });
const hardLink = (name: string, linkName: string): Buffer => rawEntry({ name, type: '1', linkName });

describe('unpackArchive()', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['xz', (bytes: Buffer) => storeXz(bytes)],
    ['zstd', (bytes: Buffer) => writeZstd(bytes)],
  ])('takes the one directory of a %s tar', async (_, pack) => {
    const names = await unpack(await pack(realTar()));

    expect(names).toContain('src/empty');
    expect(names).toContain(`src/${'long-'.repeat(30)}name.h`);
    expect(statSync(join(directory, 'out/configure')).mode & 0o777).toBe(0o755);
    expect(statSync(join(directory, 'out/src/a.c')).mode & 0o777).toBe(0o644);
    expect(readFileSync(join(directory, 'out/src/a.c'), 'utf8')).toHaveLength(350_000);
    expect(readlinkSync(join(directory, 'out/src/again'))).toBe('../configure');
  });

  it('takes all of an archive that has several entries at its top, or a directory of it', async () => {
    const bytes = tar(file('Makefile'), file('./src/a.c'), hardLink('src/b.c', 'src/a.c'));

    expect(await unpack(bytes)).toEqual(['Makefile', 'src', 'src/a.c', 'src/b.c']);
    expect(await unpack(bytes, 'src')).toEqual(['a.c', 'b.c']);
    await expect(unpack(bytes, 'lib')).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      hint: 'At its top there are: Makefile, src.',
    });
  });

  it('names the directory with or without the one that wraps all', async () => {
    const bytes = tar(file('driver/src/a.c'), file('driver/Makefile'));

    expect(await unpack(bytes, 'src')).toEqual(['a.c']);
    expect(await unpack(bytes, 'driver/src')).toEqual(['a.c']);
  });

  it.each<readonly [string, readonly Buffer[], string]>([
    ['a path that climbs out', [file('../evil')], 'the path "../evil" leaves it'],
    ['a path that climbs out late', [file('a/b/../../../evil')], 'leaves it'],
    ['an absolute path', [file('/etc/evil')], 'the path "/etc/evil" is absolute'],
    ['a device', [rawEntry({ name: 'null', type: '3' })], 'is neither file, directory nor link'],
    ['a pipe', [rawEntry({ name: 'pipe', type: '6' })], 'is neither file, directory nor link'],
    [
      'a link out of it',
      [file('a'), link('b', '../../etc/passwd')],
      'leads to "../../etc/passwd", out of it',
    ],
    ['an absolute link', [file('a'), link('b', '/etc/passwd')], 'leads to "/etc/passwd", out of it'],
    ['a file below a link', [link('a', '.'), file('a/b')], '"a/b" lies below "a", a symlink'],
    ['a link below a link', [link('a', '.'), link('a/b', '..')], '"a/b" lies below "a", a symlink'],
    ['a file in the place of a link', [link('a', 'b'), file('a')], '"a" is there twice'],
    [
      'links that climb together',
      [file('p/q/x'), link('p/q/s', '../..'), link('t', 'p/q/s/..')],
      'out of it',
    ],
    ['a hard link to what is not there', [hardLink('a', 'etc/passwd')], 'which is no file before it'],
    ['a hard link out of it', [hardLink('a', '../x')], 'leaves it'],
  ])('refuses %s', async (_, entries, why) => {
    const unpacking = unpack(tar(...entries, file('z')));

    await expect(unpacking).rejects.toMatchObject({
      code: 'ARCHIVE_UNSAFE',
      message: expect.stringContaining(why) as string,
    });
    expect(readdirSync(directory)).toEqual(['driver.tar']);
  });

  it('refuses a link that leaves the directory that is kept', async () => {
    const bytes = tar(file('secret'), file('driver/a.c'), link('driver/b', '../secret'));

    await expect(unpack(bytes, 'driver')).rejects.toMatchObject({ code: 'ARCHIVE_UNSAFE' });
    expect(await unpack(bytes)).toContain('driver/b');
  });

  it('writes a file that comes twice anew, and not what was linked to the first', async () => {
    await unpack(tar(file('a', 'one'), hardLink('b', 'a'), file('a', 'two')));

    expect(readFileSync(join(directory, 'out/a'), 'utf8')).toBe('two');
    expect(readFileSync(join(directory, 'out/b'), 'utf8')).toBe('one');
  });

  it('lets links go in circles, or to nothing', async () => {
    expect(await unpack(tar(link('a', 'b'), link('b', 'a'), link('c', 'gone/../x')))).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it.each([
    ['what is no tar', Buffer.from('<html>404</html>'.repeat(100))],
    ['nothing', Buffer.alloc(0)],
    ['half a gzip', gzipSync(tar(file('a', 'y'.repeat(100_000)))).subarray(0, 100)],
    ['half a tar', tar(file('a', 'y'.repeat(100_000))).subarray(0, 3000)],
    ['bzip2', Buffer.from('BZh91AY&SY')],
  ])('says that it cannot read %s', async (_, bytes) => {
    await expect(unpack(bytes)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
    expect(existsSync(join(directory, 'out'))).toBe(false);
  });
});
