import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import * as zlib from 'node:zlib';
import { CompileError, ModuleError } from '../../errors.ts';
import { readXz } from '../../kmod/xz.ts';
import { readZstd } from '../../kmod/zstd.ts';

/** How a file is packed, by its first bytes: its name may lie. */
export type Packing = 'none' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'lzma' | 'zip';

const MAGICS: readonly (readonly [Packing, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh')],
  ['lzma', Buffer.from([0x5d, 0x00, 0x00])],
  ['zip', Buffer.from('PK\x03\x04', 'latin1')],
];

export function findPacking(head: Uint8Array): Packing {
  return MAGICS.find(([, magic]) => magic.equals(head.subarray(0, magic.length)))?.[0] ?? 'none';
}

/** xz and zstd are unpacked in memory; what they hold must fit into one buffer. */
export const MAX_UNPACKED_BYTES = 2 * 1024 ** 3 - 4096;

/**
 * What is in a file, without the compression around it. gzip streams; xz and zstd are unpacked in memory.
 *
 * @param name The file, for messages.
 * @throws {CompileError} `ARCHIVE_INVALID`.
 */
export async function* readUnpacked(
  path: string,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const packing = findPacking(await readHead(path));
  if (packing === 'none') yield* createReadStream(path, { signal }) as AsyncIterable<Uint8Array>;
  else if (packing === 'gzip') yield* gunzip(path, name, signal);
  else {
    const { size } = await stat(path);
    if (size > MAX_UNPACKED_BYTES) throw damaged(name, `it has ${size} bytes`);
    yield* [await unpackBytes(await readFile(path), name)];
  }
}

/**
 * The same for bytes.
 *
 * @throws {CompileError} `ARCHIVE_INVALID`.
 */
export async function unpackBytes(
  bytes: Uint8Array,
  name: string,
  maxBytes = MAX_UNPACKED_BYTES,
): Promise<Uint8Array> {
  const packing = findPacking(bytes);
  try {
    switch (packing) {
      case 'none':
        return bytes;
      case 'gzip':
        return zlib.gunzipSync(bytes, { maxOutputLength: maxBytes });
      case 'xz':
        return readXz(bytes, maxBytes);
      case 'zstd':
        return await readZstd(bytes, maxBytes);
      case 'bzip2':
      case 'lzma':
      case 'zip':
        throw new CompileError('ARCHIVE_INVALID', `Cannot unpack ${name}: ${packing} is not read here`, {
          hint: 'Repack it with gzip, xz or zstd: "tar -czf NEW.tar.gz ...", and give the checksum of the new file.',
        });
    }
  } catch (error) {
    if (error instanceof CompileError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw damaged(
      name,
      error instanceof ModuleError ? why.replace(/^Cannot decompress a module: /, '') : why,
      error,
    );
  }
}

async function* gunzip(path: string, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const input = createReadStream(path, { signal });
  const decoder = zlib.createGunzip({ chunkSize: 256 * 1024 });
  input.on('error', (error) => decoder.destroy(error));
  try {
    for await (const chunk of input.pipe(decoder)) yield chunk as Uint8Array;
  } catch (error) {
    signal.throwIfAborted();
    throw damaged(name, error instanceof Error ? error.message : String(error), error);
  } finally {
    input.destroy();
    decoder.destroy();
  }
}

async function readHead(path: string): Promise<Uint8Array> {
  for await (const chunk of createReadStream(path, { end: 15 })) return chunk as Uint8Array;
  return new Uint8Array();
}

export function damaged(name: string, why: string, cause?: unknown): CompileError {
  return new CompileError('ARCHIVE_INVALID', `Cannot unpack ${name}: ${why}`, {
    cause,
    hint: 'Its checksum is the one that the spec gives: get it again from its maker, and write the new checksum.',
  });
}
