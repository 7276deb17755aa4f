import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { damaged, unpacksTooFar } from './compression-errors.ts';
import { storeXz } from './xz-writer.ts';
import { readXz } from './xz.ts';
import { readZstd, writeZstd } from './zstd.ts';

/** How the bytes of a module file are packed; the name is the end of its file name, too. */
export type ModuleCompression = 'none' | 'gz' | 'xz' | 'zst';

export interface DecompressModuleOptions {
  /** Most bytes that may come out. */
  readonly maxBytes?: number;
}

/** Largest module that we unpack when nobody says otherwise: 512 MiB, debug information included. */
export const MAX_MODULE_BYTES = 512 * 1024 ** 2;

const MAGICS: readonly { compression: ModuleCompression; magic: Buffer }[] = [
  { compression: 'gz', magic: Buffer.from([0x1f, 0x8b]) },
  { compression: 'xz', magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { compression: 'zst', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
];

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const gzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip);

/** The compression that the first bytes show; the file name may lie. */
export function detectCompression(bytes: Uint8Array): ModuleCompression {
  const found = MAGICS.find(({ magic }) => magic.equals(bytes.subarray(0, magic.length)));
  return found?.compression ?? 'none';
}

/**
 * The bytes of a module without its compression; as they are when there is none.
 *
 * @throws {ModuleError} `COMPRESSION_INVALID` for damaged input, `COMPRESSION_UNSUPPORTED` for a feature of xz that
 * is not read here, `LIMIT_EXCEEDED` when more than `maxBytes` would come out.
 */
export async function decompressModule(
  bytes: Uint8Array,
  { maxBytes = MAX_MODULE_BYTES }: DecompressModuleOptions = {},
): Promise<Buffer> {
  const compression = detectCompression(bytes);
  switch (compression) {
    case 'none':
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    case 'gz':
      return readGzip(bytes, maxBytes);
    case 'xz':
      return readXz(bytes, maxBytes);
    case 'zst':
      return readZstd(bytes, maxBytes);
  }
}

/**
 * Packs a module: the same bytes for the same input. With xz it is stored in the form of xz, not made smaller, since
 * nothing here compresses with xz.
 */
export async function compressModule(bytes: Uint8Array, compression: ModuleCompression): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    case 'gz':
      return gzip(bytes, { level: 9 });
    case 'xz':
      return storeXz(bytes);
    case 'zst':
      return writeZstd(bytes);
  }
}

async function readGzip(bytes: Uint8Array, maxBytes: number): Promise<Buffer> {
  try {
    // zlib wants at least one byte of room.
    return await gunzip(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    throw code === 'ERR_BUFFER_TOO_LARGE' ? unpacksTooFar(maxBytes) : damaged('gzip', error);
  }
}
