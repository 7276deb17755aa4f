import { describe, expect, it } from 'vitest';
import { type InitramfsEntry, writeInitramfs } from '../../../src/layer/initramfs/write-cpio.ts';

const ENTRIES: readonly InitramfsEntry[] = [
  { path: 'usr/bin/tool', type: 'file', bytes: Buffer.from('tool'), mode: 0o755 },
  { path: 'bin', type: 'symlink', target: 'usr/bin' },
  { path: 'dev/null', type: 'character-device', major: 1, minor: 3 },
];

/** Paths, modes and contents, read back by the rules of the format. */
function read(archive: Buffer): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at < archive.length;) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const number = (index: number): number =>
      parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const nameAt = at + 110;
    const name = archive.toString('latin1', nameAt, nameAt + number(11) - 1);
    const contentAt = Math.ceil((nameAt + number(11)) / 4) * 4;
    const content = archive.toString('latin1', contentAt, contentAt + number(6));
    found.push([name, number(1).toString(8), number(9), number(10), content].join(' '));
    at = Math.ceil((contentAt + number(6)) / 4) * 4;
  }
  return found;
}

describe('writeInitramfs()', () => {
  it('writes sorted entries, with the directories above them', () => {
    expect(read(writeInitramfs(ENTRIES))).toEqual([
      'bin 120777 0 0 usr/bin',
      'dev 40755 0 0 ',
      'dev/null 20600 1 3 ',
      'usr 40755 0 0 ',
      'usr/bin 40755 0 0 ',
      'usr/bin/tool 100755 0 0 tool',
      'TRAILER!!! 0 0 0 ',
    ]);
  });

  it('gives equal bytes whatever the order of the entries', () => {
    expect(writeInitramfs([...ENTRIES].reverse()).equals(writeInitramfs(ENTRIES))).toBe(true);
  });

  it.each([
    ['two entries of one path', { path: 'bin', type: 'directory' }],
    ['an entry below a link', { path: 'bin/x', type: 'directory' }],
  ] as const)('refuses %s', (_, entry) => {
    expect(() => writeInitramfs([...ENTRIES, entry])).toThrow(RangeError);
  });
});
