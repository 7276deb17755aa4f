import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import ignoreFile from '@balena/dockerignore';
import tar, { type Pack } from 'tar-stream';
import { CompileError } from '../../errors.ts';

/** A file that is added to a context. */
export interface ContextFile {
  /** Relative path with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode?: number;
}

export interface ContextRequest {
  /** Directory whose files are the context; none when absent. */
  readonly directory: string | undefined;
  /** Text of an ignore file. */
  readonly ignore: string;
  readonly files: readonly ContextFile[];
  readonly signal: AbortSignal;
}

/** Times are the same wherever and whenever a context is made. */
const TIME = new Date(1000);

/**
 * A build context as a tar. Owners and times are not those of this machine; what an ignore file names is left out.
 *
 * @see https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export function packContext(request: ContextRequest): Readable {
  const pack = tar.pack();
  writeAll(pack, request).then(
    () => {
      pack.finalize();
    },
    (error: unknown) => {
      pack.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  );
  return pack as unknown as Readable;
}

async function writeAll(pack: Pack, { directory, ignore, files, signal }: ContextRequest): Promise<void> {
  for (const { path, bytes, mode = 0o644 } of files) {
    pack.entry({ name: path, mode, mtime: TIME }, Buffer.from(bytes));
  }
  if (directory === undefined) return;
  const isIncluded = ignoreFile.default().add(ignore).createFilter();
  await writeDirectory(pack, { root: directory, below: '', isIncluded, signal });
}

interface Walk {
  readonly root: string;
  readonly below: string;
  readonly isIncluded: (path: string) => boolean;
  readonly signal: AbortSignal;
}

/** A directory that is ignored is still walked: a later line of the ignore file may take back some of it. */
async function writeDirectory(pack: Pack, walk: Walk): Promise<void> {
  const { root, below, isIncluded, signal } = walk;
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    signal.throwIfAborted();
    const path = below === '' ? name : `${below}/${name}`;
    const stat = await lstat(join(root, path));
    const header = { name: path, mode: stat.mode & 0o7777, mtime: TIME };
    if (stat.isDirectory()) {
      if (name === '.git') continue;
      if (isIncluded(path)) pack.entry({ ...header, type: 'directory' });
      await writeDirectory(pack, { ...walk, below: path });
    } else if (!isIncluded(path)) {
      continue;
    } else if (stat.isSymbolicLink()) {
      pack.entry({ ...header, type: 'symlink', linkname: await readlink(join(root, path)) });
    } else if (stat.isFile()) {
      await writeFile(pack, { ...header, size: stat.size }, join(root, path));
    }
  }
}

async function writeFile(
  pack: Pack,
  header: Partial<tar.Header> & { readonly name: string },
  path: string,
): Promise<void> {
  try {
    await pipeline(createReadStream(path), pack.entry(header));
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read ${path} into a build context`, {
      cause: error,
      hint: 'Do not change the source while it is built.',
    });
  }
}
