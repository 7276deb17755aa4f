import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { storeXz } from '../../../src/kmod/xz-writer.ts';
import { writeZstd } from '../../../src/kmod/zstd.ts';
import { readInitramfs } from '../../../src/layer/initramfs/read-initramfs.ts';
import { type InitramfsEntry, writeInitramfs } from '../../../src/layer/initramfs/write-cpio.ts';

const file = (path: string, text: string): InitramfsEntry => ({
  path,
  type: 'file',
  bytes: Buffer.from(text),
});
const MICROCODE = writeInitramfs([file('kernel/x86/microcode/GenuineIntel.bin', 'microcode')]);
const MAIN = writeInitramfs([
  file('init', '#!/bin/sh'),
  { path: 'lib', type: 'symlink', target: 'usr/lib' },
  file('usr/lib/modules/5.14/modules.dep', 'a.ko:\n'),
]);

/** Cuts bytes into pieces, so that every border is crossed somewhere. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, size = 1000): Promise<{ paths: string[]; files: Record<string, string> }> {
  const paths: string[] = [];
  const files: Record<string, string> = {};
  await readInitramfs(pieces(bytes, size), {
    wants: () => true,
    onEntry: ({ path }) => void paths.push(path),
    onContent: ({ path }, content) => {
      files[path] = content.toString();
    },
  });
  return { paths, files };
}

const padded = (bytes: Buffer, to: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);

describe('readInitramfs()', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['xz', (bytes: Buffer) => storeXz(bytes)],
    ['zstd', (bytes: Buffer) => writeZstd(bytes)],
  ])('reads the early archive, and the main one that is packed with %s', async (_name, pack) => {
    const image = Buffer.concat([padded(MICROCODE, 512), Buffer.from(await pack(MAIN))]);

    for (const size of [1, 7, 1000, 1_000_000]) {
      const { paths, files } = await read(image, size);

      expect(paths).toContain('kernel/x86/microcode/GenuineIntel.bin');
      expect(files).toMatchObject({
        init: '#!/bin/sh',
        lib: 'usr/lib',
        'usr/lib/modules/5.14/modules.dep': 'a.ko:\n',
      });
    }
  });

  it.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', (bytes: Buffer) => writeZstd(bytes)],
  ])('reads what was appended to one packed with %s, with and without zeros between', async (_name, pack) => {
    const main = padded(Buffer.from(await pack(MAIN)), 4);

    const { files } = await read(Buffer.concat([main, writeInitramfs([file('init', 'new')])]));
    const apart = await read(
      Buffer.concat([main, Buffer.alloc(512), gzipSync(writeInitramfs([file('late', 'x')]))]),
    );

    expect(files['init']).toBe('new');
    expect(apart.files).toMatchObject({ init: '#!/bin/sh', late: 'x' });
  });

  it('reads what cpio writes', async () => {
    const script =
      'cd "$(mktemp -d)" && mkdir -p a/b && printf text > a/b/c && find . | cpio --quiet -o -H newc';
    const made = execFileSync('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });

    const { paths, files } = await read(made);

    expect(paths).toContain('a/b');
    expect(files['a/b/c']).toBe('text');
  });

  it.each([
    ['an archive that is cut off', MAIN.subarray(0, MAIN.length - 130), 'cut off'],
    ['an archive off the border', Buffer.concat([Buffer.alloc(6), MAIN]), 'multiple of four'],
    ['another compression', Buffer.from('425a6839314159', 'hex'), 'bzip2'],
    ['something else', Buffer.from('hello world'), 'no archive'],
    ['gzip that holds no archive', gzipSync('hello world'), 'holds no archive'],
    ['gzip that is cut off', gzipSync(MAIN).subarray(0, -20), 'Cannot read the initramfs'],
    ['a path that leaves the root', writeInitramfs([file('../x', '')]), 'leaves the root'],
  ])('refuses %s', async (_name, bytes, message) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'BASE_UNSUPPORTED',
      message: expect.stringContaining(message) as unknown,
    });
  });
});
