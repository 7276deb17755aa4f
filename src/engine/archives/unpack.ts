import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CompileError } from '../../errors.ts';
import { readUnpacked } from './decompress.ts';
import { unpackTar } from './tar.ts';
import { makeTreeWriter } from './tree-writer.ts';

export interface UnpackRequest {
  /** A tar, plain or packed with gzip, xz or zstd. */
  readonly file: string;
  /** The archive as the user knows it, for messages. */
  readonly name: string;
  /** Directory that is made, or is empty. */
  readonly to: string;
  /** Directory in the archive that is taken; undefined: the only one at the top, or all of it. */
  readonly directory: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Unpacks an archive of sources. What it writes lies below `to`, whatever the archive says: no absolute paths, no
 * `..`, no links that lead out, no devices, and not more than `ARCHIVE_LIMITS`.
 *
 * @throws {CompileError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `SOURCE_UNREADABLE` when it has no such directory.
 */
export async function unpackArchive({ file, name, to, directory, signal }: UnpackRequest): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const scratch = await mkdtemp(`${to}.unpacking-`);
  try {
    const root = join(scratch, 'root');
    const writer = makeTreeWriter(root, name);
    await unpackTar(readUnpacked(file, name, signal), { writer, name });
    const { tree } = writer;
    const [only = '', ...others] = tree.top();
    const isWrapped = others.length === 0 && tree.typeAt(only) === 'directory';
    const wanted = [...(isWrapped ? [only] : []), ...(directory === undefined ? [] : [plain(directory)])];
    const chosen = [wanted.join('/'), plain(directory ?? '')].find(
      (path) => path === '' || tree.typeAt(path) === 'directory',
    );
    if (chosen === undefined) {
      throw new CompileError('SOURCE_UNREADABLE', `Cannot find directory ${directory ?? ''} in ${name}`, {
        hint: `At its top there are: ${tree.top().slice(0, 10).join(', ')}.`,
      });
    }
    await writer.finish(chosen);
    await rm(to, { recursive: true, force: true });
    await rename(chosen === '' ? root : join(root, chosen), to);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function plain(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}
