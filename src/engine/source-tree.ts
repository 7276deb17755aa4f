import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CompileError } from '../errors.ts';
import { digestOf, makeHasher, type Digest } from '../oci/digest.ts';

/** A driver's source has some thousand files; more than this is a mistaken path, for instance `/`. */
const ENTRY_LIMIT = 200_000;

/**
 * Identity of a source tree: for every entry its path, kind, executable bit, and its bytes or link target. Anything
 * named `.git` is left out, as it is from builds.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function digestDirectory(directory: string, signal: AbortSignal): Promise<Digest> {
  const lines: string[] = [];
  try {
    for (const path of await listTree(directory, signal)) lines.push(await describe(directory, path, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CompileError) throw error;
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the source directory ${directory}`, {
      cause: error,
      hint: 'Check "source.directory"; relative paths start at the spec.',
    });
  }
  return digestOf(Buffer.from(lines.join('\n')));
}

/** Paths of all entries but directories, sorted by their code units. */
async function listTree(directory: string, signal: AbortSignal): Promise<readonly string[]> {
  const paths: string[] = [];
  const waiting = [''];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      if (entry.name === '.git') continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) waiting.push(path);
      else paths.push(path);
    }
    if (paths.length + waiting.length > ENTRY_LIMIT) {
      throw new CompileError(
        'SOURCE_UNREADABLE',
        `Cannot use ${directory} as a source: over ${ENTRY_LIMIT} entries`,
        {
          hint: 'Name the directory of the driver itself.',
        },
      );
    }
  }
  return paths.sort((a, b) => (a < b ? -1 : 1));
}

/** JSON, so that no path can look like the rest of a line. */
async function describe(directory: string, path: string, signal: AbortSignal): Promise<string> {
  const full = join(directory, path);
  const stat = await lstat(full);
  if (stat.isSymbolicLink()) return JSON.stringify(['link', path, await readlink(full)]);
  if (!stat.isFile()) return JSON.stringify(['other', path]);
  const hasher = makeHasher();
  for await (const chunk of createReadStream(full, { signal })) hasher.update(chunk as Uint8Array);
  const kind = (stat.mode & 0o100) === 0 ? 'file' : 'program';
  return JSON.stringify([kind, path, hasher.digest()]);
}
