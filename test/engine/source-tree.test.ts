import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestDirectory } from '../../src/engine/source-tree.ts';

const { signal } = new AbortController();
let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'kmodlayer-tree-'));
});

afterEach(() => {
  rmSync(base, { recursive: true });
});

function makeTree(name: string): string {
  const root = join(base, name);
  mkdirSync(join(root, 'src'), { recursive: true });
  writeFileSync(join(root, 'src/a.c'), 'a');
  writeFileSync(join(root, 'Kbuild'), 'k', { mode: 0o644 });
  symlinkSync('src/a.c', join(root, 'link'));
  return root;
}

describe('digestDirectory()', () => {
  it('is the same for the same files, whatever their times and what git keeps beside them', async () => {
    const one = makeTree('one');
    const other = makeTree('other');
    utimesSync(join(other, 'Kbuild'), 1, 1);
    mkdirSync(join(other, '.git'));
    writeFileSync(join(other, '.git/HEAD'), 'x');
    writeFileSync(join(other, 'src/.git'), 'gitdir: x');

    expect(await digestDirectory(other, signal)).toBe(await digestDirectory(one, signal));
  });

  it.each([
    [
      'a byte',
      (root: string) => {
        writeFileSync(join(root, 'Kbuild'), 'K');
      },
    ],
    [
      'an executable bit',
      (root: string) => {
        chmodSync(join(root, 'Kbuild'), 0o755);
      },
    ],
    [
      'a link target',
      (root: string) => {
        rmSync(join(root, 'link'));
        symlinkSync('Kbuild', join(root, 'link'));
      },
    ],
    [
      'a new file',
      (root: string) => {
        writeFileSync(join(root, 'new'), '');
      },
    ],
    [
      'a name',
      (root: string) => {
        rmSync(join(root, 'src/a.c'));
        writeFileSync(join(root, 'src/b.c'), 'a');
      },
    ],
  ])('changes with %s', async (_, change) => {
    const before = await digestDirectory(makeTree('one'), signal);
    const changed = makeTree('two');

    change(changed);

    expect(await digestDirectory(changed, signal)).not.toBe(before);
  });

  it('does not follow links out of the tree', async () => {
    const one = makeTree('one');
    symlinkSync(base, join(one, 'up'));

    expect(await digestDirectory(one, signal)).toMatch(/^sha256:/);
  });

  it('reports a directory that is not there', async () => {
    await expect(digestDirectory(join(base, 'nowhere'), signal)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
    });
  });
});
