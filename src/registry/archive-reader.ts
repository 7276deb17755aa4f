import { type FileHandle, open } from 'node:fs/promises';
import { RegistryError } from '../errors.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { fileErrorCode } from './atomic-file.ts';
import { checkLayoutMark } from './layout-directory.ts';
import { type LayoutIndex, parseLayoutIndex } from './layout-index.ts';
import type { LayoutStore } from './layout-store.ts';
import { readTarIndex, type TarPart } from './tar-index.ts';

const READ_BYTES = 1024 ** 2;

/**
 * Opens an OCI layout in a tar for reading. Its headers are read once; after that, each read goes straight to its
 * place.
 *
 * @throws {RegistryError} `NOT_FOUND`, `LAYOUT_INVALID`, or `UNSUPPORTED` for a tar that is compressed.
 */
export async function openArchive(path: string): Promise<LayoutStore> {
  const where = `oci-archive:${path}`;
  const { parts, index } = await withFile(path, async (file) => {
    const { size } = await file.stat();
    const readAt = (offset: number, sizeBytes: number): Promise<Buffer> =>
      readPart(file, { offset, sizeBytes });
    checkIsPlainTar(await readAt(0, 6), where);
    const found = await readTarIndex(readAt, size, where);
    const mark = found.get('oci-layout');
    checkLayoutMark(
      mark === undefined || mark.sizeBytes > 1000 ? undefined : await readPart(file, mark),
      where,
    );
    return { parts: found, index: await readIndex(file, found.get('index.json'), where) };
  });
  const partOf = (digest: Digest): TarPart | undefined => parts.get(blobPath(digest));

  return {
    readIndex: async () => index,
    findBlob: async (digest) => partOf(digest)?.sizeBytes,
    async *openBlob(digest) {
      const part = partOf(digest);
      if (part !== undefined) yield* readFilePart(path, part);
    },
    updateIndex: () => Promise.reject(readOnly(where)),
    writeBlob: () => Promise.reject(readOnly(where)),
    linkBlob: () => Promise.resolve(false),
    blobFile: () => undefined,
  };
}

/** Path of a blob in a layout. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Streams a part of a file. */
export async function* readFilePart(
  path: string,
  { offset, sizeBytes }: TarPart,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < sizeBytes;) {
      const chunk = await readPart(file, {
        offset: offset + at,
        sizeBytes: Math.min(READ_BYTES, sizeBytes - at),
      });
      if (chunk.length === 0) return;
      at += chunk.length;
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

async function readPart(file: FileHandle, { offset, sizeBytes }: TarPart): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(sizeBytes);
  const { bytesRead } = await file.read(buffer, 0, sizeBytes, offset);
  return buffer.subarray(0, bytesRead);
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') {
      throw new RegistryError('NOT_FOUND', `Cannot read oci-archive:${path}: there is no such file`);
    }
    throw error;
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readIndex(file: FileHandle, part: TarPart | undefined, where: string): Promise<LayoutIndex> {
  if (part === undefined || part.sizeBytes > MAX_MANIFEST_BYTES) {
    throw new RegistryError('LAYOUT_INVALID', `Cannot read ${where}: it has no usable index.json`);
  }
  return parseLayoutIndex(await readPart(file, part), where);
}

function checkIsPlainTar(start: Buffer, where: string): void {
  const magic = start.toString('hex');
  const program = /^1f8b/.test(magic)
    ? 'gzip -d'
    : /^28b52ffd/.test(magic)
      ? 'zstd -d'
      : /^fd377a585a00/.test(magic)
        ? 'xz -d'
        : undefined;
  if (program === undefined) return;
  throw new RegistryError('UNSUPPORTED', `Cannot read ${where}: the archive is compressed`, {
    hint: `Unpack it first with "${program}": its layers are compressed already.`,
  });
}

function readOnly(where: string): RegistryError {
  return new RegistryError('UNSUPPORTED', `Cannot write to ${where}: it was opened for reading`);
}
