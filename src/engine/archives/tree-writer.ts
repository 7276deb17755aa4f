import { link, mkdir, open, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type ArchiveEntry,
  type ArchiveLimits,
  type EntryTree,
  makeEntryTree,
  type SafeEntry,
} from './entry-tree.ts';

/** Writes the entries of an archive below a directory, and nothing anywhere else. */
export interface TreeWriter {
  /**
   * Writes the next entry. Symlinks are made last, so that nothing is ever written through one.
   *
   * @param content Bytes of a file; it is read for files alone.
   * @throws {CompileError} `ARCHIVE_UNSAFE`.
   */
  add(entry: ArchiveEntry, content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** What was written so far. */
  readonly tree: EntryTree;
  /**
   * Makes the symlinks below a directory of the archive; empty: all of them.
   *
   * @throws {CompileError} `ARCHIVE_UNSAFE`.
   */
  finish(below: string): Promise<void>;
}

/**
 * @param directory An empty directory, or one that is not there yet.
 * @param name The archive, for messages.
 */
export function makeTreeWriter(directory: string, name: string, limits?: ArchiveLimits): TreeWriter {
  const tree = makeEntryTree(name, limits);
  const symlinks: SafeEntry[] = [];
  const made = new Set<string>();
  const makeDirectory = async (path: string): Promise<void> => {
    if (made.has(path)) return;
    await mkdir(path, { recursive: true, mode: 0o755 });
    made.add(path);
  };
  return {
    async add(entry, content = []) {
      const safe = tree.add(entry);
      if (safe === undefined) return;
      const path = join(directory, safe.path);
      switch (safe.type) {
        case 'directory':
          await makeDirectory(path);
          return;
        case 'symlink':
          symlinks.push(safe);
          return;
        case 'hardlink':
          await makeDirectory(dirname(path));
          await link(join(directory, safe.target ?? ''), path);
          return;
        case 'file':
          await makeDirectory(dirname(path));
          // A file that comes a second time must not change what was linked to the first.
          await rm(path, { force: true });
          await writeFile(path, safe.isProgram, content);
      }
    },
    tree,
    async finish(below) {
      tree.checkLinks(below);
      await makeDirectory(directory);
      for (const { path, target = '' } of symlinks) {
        if (below !== '' && !path.startsWith(`${below}/`)) continue;
        const full = join(directory, path);
        await makeDirectory(dirname(full));
        await symlink(target, full);
      }
    },
  };
}

async function writeFile(
  path: string,
  isProgram: boolean,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const file = await open(path, 'wx', isProgram ? 0o755 : 0o644);
  try {
    for await (const chunk of content) await file.write(chunk);
  } finally {
    await file.close();
  }
}
