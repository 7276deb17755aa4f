import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Files } from '../../src/io.ts';

/** The files of this machine; relative paths start at `cwd`. */
export function makeFiles(cwd: string): Files {
  return {
    read: (path) => readFile(resolve(cwd, path)),
    async list(directory) {
      const root = await realpath(resolve(cwd, directory));
      const found: string[] = [];
      await collect({ root, real: root, below: '', trail: [root] }, found);
      return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    },
    readLink: (path) => readlink(resolve(cwd, path)).catch(() => undefined),
  };
}

interface Place {
  /** The directory that was asked for, without links. */
  readonly root: string;
  /** The directory that is read now, without links. */
  readonly real: string;
  /** Its path as it is reported. */
  readonly below: string;
  /** The directories that lead to it: a link to one of them would never end. */
  readonly trail: readonly string[];
}

async function collect({ root, real, below, trail }: Place, found: string[]): Promise<void> {
  for (const entry of await readdir(real, { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const target = entry.isSymbolicLink()
      ? await targetInside(root, join(real, entry.name))
      : join(real, entry.name);
    if (target === undefined) continue;
    const kind = entry.isSymbolicLink() ? await stat(target) : entry;
    if (kind.isFile()) found.push(path);
    if (kind.isDirectory() && !trail.includes(target)) {
      await collect({ root, real: target, below: path, trail: [...trail, target] }, found);
    }
  }
}

/** Where a link leads to, or undefined when that is outside of the directory or nowhere. */
async function targetInside(root: string, link: string): Promise<string | undefined> {
  const target = await realpath(link).catch(() => undefined);
  return target?.startsWith(root + sep) === true ? target : undefined;
}
