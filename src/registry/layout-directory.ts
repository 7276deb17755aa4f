import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RegistryError } from '../errors.ts';
import { recordOf } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { fileErrorCode, temporaryNameFor, writeFileAtomically } from './atomic-file.ts';
import { withFileLock } from './file-lock.ts';
import { EMPTY_INDEX, formatLayoutIndex, parseLayoutIndex } from './layout-index.ts';
import type { LayoutStore } from './layout-store.ts';

const READ_BYTES = 1024 ** 2;

/** Content of the `oci-layout` file that marks a layout. */
export const LAYOUT_MARK = '{"imageLayoutVersion":"1.0.0"}';

/**
 * Checks that a directory is an OCI layout.
 *
 * @throws {RegistryError} `NOT_FOUND` when nothing is there, `LAYOUT_INVALID` when it is something else.
 */
export async function checkLayoutDirectory(directory: string): Promise<void> {
  if (!(await exists(directory))) {
    throw new RegistryError('NOT_FOUND', `Cannot read oci:${directory}: there is no such directory`);
  }
  checkLayoutMark(await readIfThere(join(directory, 'oci-layout')), `oci:${directory}`);
  if (!(await exists(join(directory, 'index.json')))) {
    throw new RegistryError('LAYOUT_INVALID', `Cannot read oci:${directory}: it has no index.json`, {
      hint: 'The layout is incomplete: copy it again.',
    });
  }
}

/**
 * Checks the content of an `oci-layout` file.
 *
 * @throws {RegistryError} `LAYOUT_INVALID`.
 */
export function checkLayoutMark(mark: Uint8Array | undefined, where: string): void {
  let version: unknown;
  try {
    version = recordOf(JSON.parse(Buffer.from(mark ?? []).toString('utf8')), 'oci-layout')[
      'imageLayoutVersion'
    ];
  } catch {
    version = undefined;
  }
  if (typeof version === 'string' && version.startsWith('1.')) return;
  throw new RegistryError(
    'LAYOUT_INVALID',
    typeof version === 'string'
      ? `Cannot read ${where}: its layout version is ${JSON.stringify(version.slice(0, 50))}`
      : `Cannot read ${where}: it is not an OCI layout`,
    { hint: 'An OCI layout holds the files oci-layout and index.json and the directory blobs/sha256.' },
  );
}

/** Keeps an OCI layout in a directory, which is made when something is first written. */
export function layoutDirectory(directory: string): LayoutStore {
  const indexFile = join(directory, 'index.json');
  const blobs = join(directory, 'blobs', 'sha256');
  const fileOf = (digest: Digest): string => join(blobs, hexOf(digest));
  const readIndex: LayoutStore['readIndex'] = async () => {
    const bytes = await readIfThere(indexFile);
    return bytes === undefined ? EMPTY_INDEX : parseLayoutIndex(bytes, `oci:${directory}`);
  };

  return {
    readIndex,
    async updateIndex(change) {
      await mkdir(directory, { recursive: true });
      await withFileLock(join(directory, '.index.json.lock'), async () => {
        if (!(await exists(join(directory, 'oci-layout'))))
          await write(join(directory, 'oci-layout'), LAYOUT_MARK);
        const before = await readIndex();
        const after = change(before);
        if (after !== before) await write(indexFile, formatLayoutIndex(after));
      });
    },
    async findBlob(digest) {
      try {
        const found = await stat(fileOf(digest));
        return found.isFile() ? found.size : undefined;
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw error;
      }
    },
    async *openBlob(digest) {
      for await (const chunk of createReadStream(fileOf(digest), { highWaterMark: READ_BYTES }))
        yield chunk as Buffer;
    },
    async writeBlob(blob, chunks) {
      await mkdir(blobs, { recursive: true });
      await writeFileAtomically(fileOf(blob.digest), async (file) => {
        // Unlike `write`, which a disk that is nearly full cuts short without an error, this writes all or throws.
        for await (const chunk of chunks) await file.writeFile(chunk);
      });
    },
    async linkBlob(blob, from) {
      const source = from.blobFile(blob.digest);
      if (source === undefined) return false;
      await mkdir(blobs, { recursive: true });
      return linkOrCopy(source, fileOf(blob.digest));
    },
    blobFile: fileOf,
  };
}

/** Hard-links a file, or copies it where links do not work; false when the source is not there. */
async function linkOrCopy(source: string, target: string): Promise<boolean> {
  const temporary = temporaryNameFor(target);
  try {
    try {
      await link(source, temporary);
    } catch (error) {
      if (isAbsence(error)) return false;
      await copyFile(source, temporary, constants.COPYFILE_FICLONE);
    }
    await rename(temporary, target);
    return true;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await writeFileAtomically(path, (file) => file.writeFile(content));
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  const code = fileErrorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
