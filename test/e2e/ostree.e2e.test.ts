import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCommitPaths } from '../../src/layer/commit-tree.ts';

let scratch: string;
let commit: string;

/** A commit by the real ostree, with directories of each size that its format tells apart. */
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'kmodlayer-ostree-'));
  const tree = join(scratch, 'tree');
  for (const [directory, files] of [
    ['usr/bin', 1],
    ['usr/lib/modules/6.1.0/kernel', 100],
    ['usr/share/many', 3000],
    ['usr/etc/modprobe.d', 2],
    ['boot', 0],
  ] as const) {
    mkdirSync(join(tree, directory), { recursive: true });
    for (let at = 0; at < files; at++)
      writeFileSync(join(tree, directory, `file-${at}-${'n'.repeat(at % 200)}`), 'x');
  }
  symlinkSync('usr/lib', join(tree, 'lib'));
  const ostree = (...args: readonly string[]): string =>
    execFileSync('ostree', [`--repo=${join(scratch, 'repo')}`, ...args], { encoding: 'utf8' }).trim();
  ostree('init', '--mode=bare-user');
  commit = ostree('commit', '--branch=os', '--canonical-permissions', '--no-xattrs', tree);
  writeFileSync(join(scratch, 'ls.txt'), ostree('ls', '-R', 'os'));
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('readCommitPaths(), on a repository of the real ostree', () => {
  it('lists what ostree lists', () => {
    const objects = new Map(
      readdirSync(join(scratch, 'repo/objects'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(?:commit|dirtree)$/.test(entry.name))
        .map((entry) => [
          basename(entry.parentPath) + entry.name,
          readFileSync(join(entry.parentPath, entry.name)),
        ]),
    );

    const paths = readCommitPaths(objects, commit);

    const listed = readFileSync(join(scratch, 'ls.txt'), 'utf8')
      .split('\n')
      .map((line) => /^(.)\S+ +\d+ +\d+ +\d+ \/(.*?)(?: -> .*)?$/.exec(line) ?? [])
      .filter(([, , path = '']) => path !== '')
      .map(
        ([, type, path = '']) =>
          `${type === 'd' ? 'directory' : 'file'} ${path.replace(/^usr\/etc(?=\/|$)/, 'etc')}`,
      );
    expect(listed.length).toBeGreaterThan(3100);
    expect([...(paths ?? [])].map(([path, { kind }]) => `${kind} ${path}`).sort()).toEqual(listed.sort());
    expect(paths?.get(dirname('usr/share/many/x'))).toEqual({ kind: 'directory', sizeBytes: undefined });
  });
});
