import { crc32, createInflateRaw } from 'node:zlib';
import { LayerError } from '../../errors.ts';
import { decompressModule } from '../../kmod/compression.ts';
import { zstdEnd } from '../../kmod/zstd.ts';
import type { ByteSource } from './byte-source.ts';

/** How a part of an initramfs is packed. */
export type MemberCompression = 'gzip' | 'zstd' | 'xz';

/** Most bytes that are held of a part that cannot be unpacked as it comes. */
const MAX_HELD_BYTES = 512 * 1024 ** 2;
/** Most bytes that one part may unpack to. */
export const MAX_UNPACKED_BYTES = 2 * 1024 ** 3;

const MAGICS: readonly {
  readonly name: MemberCompression | 'bzip2' | 'lz4' | 'lzo' | 'lzma';
  readonly magic: string;
}[] = [
  { name: 'gzip', magic: '1f8b' },
  { name: 'zstd', magic: '28b52ffd' },
  { name: 'xz', magic: 'fd377a585a00' },
  { name: 'bzip2', magic: '425a' },
  { name: 'lz4', magic: '02214c18' },
  { name: 'lzo', magic: '894c5a4f' },
  { name: 'lzma', magic: '5d0000' },
];

/**
 * What the first bytes of a part show.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED` for what the kernel may know and we do not.
 */
export function compressionOf(head: Buffer): MemberCompression {
  const hex = head.toString('hex');
  const found = MAGICS.find(({ magic }) => hex.startsWith(magic))?.name;
  if (found === 'gzip' || found === 'zstd' || found === 'xz') return found;
  throw new LayerError(
    'BASE_UNSUPPORTED',
    `Cannot read the initramfs of the base: a part of it ${found === undefined ? 'is no archive' : `is packed with ${found}`}`,
    { hint: 'An initramfs is made of cpio archives, plain or packed with gzip, zstd or xz.' },
  );
}

/**
 * The bytes of a packed part, as far as it reaches; the source then stands behind it. gzip is unpacked as it comes, the
 * others are held.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED`; {ModuleError} `COMPRESSION_INVALID`, `LIMIT_EXCEEDED`.
 */
export async function* unpackMember(
  source: ByteSource,
  compression: MemberCompression,
): AsyncGenerator<Buffer> {
  if (compression === 'gzip') {
    yield* inflateMember(source);
    return;
  }
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > MAX_HELD_BYTES) throw damaged(`a part has more than ${MAX_HELD_BYTES} bytes`);
  }
  const bytes = Buffer.concat(pieces);
  const end = compression === 'zstd' ? zstdEnd(bytes) : lastOther(bytes);
  source.giveBack(bytes.subarray(end));
  yield await decompressModule(bytes.subarray(0, end), { maxBytes: MAX_UNPACKED_BYTES });
}

/** Where the zeros begin that fill an xz file up; its own last byte is a letter. */
function lastOther(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

const FLAGS = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

/** One member of gzip. Node's own reader takes what follows for another one. @see RFC 1952 */
async function* inflateMember(source: ByteSource): AsyncGenerator<Buffer> {
  await skipHeader(source);
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  const ended = new Promise<void>((resolve) => {
    for (const event of ['end', 'error', 'close'] as const) inflate.once(event, resolve);
  });
  let fedBytes = 0;
  /** Pieces that may have been taken too much. */
  let tail: Buffer[] = [];
  let isOver = false;
  const feed = async (): Promise<void> => {
    for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
      const isUsedUp = inflate.bytesWritten === fedBytes;
      tail = isUsedUp ? [piece] : [...tail, piece];
      fedBytes += piece.length;
      const written = new Promise<void>((resolve) => {
        inflate.write(piece, () => {
          resolve();
        });
      });
      await Promise.race([written, ended]);
      if (isOver || inflate.readableEnded || inflate.destroyed) return;
    }
    inflate.end();
  };
  void ended.then(() => {
    isOver = true;
  });
  let sum = 0;
  let sizeBytes = 0;
  const feeding = feed().catch((error: unknown) => {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of inflate) {
      const bytes = chunk as Buffer;
      sum = crc32(bytes, sum);
      sizeBytes += bytes.length;
      if (sizeBytes > MAX_UNPACKED_BYTES) throw damaged('it unpacks to gigabytes');
      yield bytes;
    }
  } catch (error) {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true)
      throw damaged(error.message);
    throw error;
  } finally {
    inflate.destroy();
    await feeding;
  }
  const leftBytes = fedBytes - inflate.bytesWritten;
  const fed = Buffer.concat(tail);
  source.giveBack(fed.subarray(fed.length - leftBytes));
  const trailer = await source.take(8);
  if (trailer?.readUInt32LE(0) !== sum || trailer.readUInt32LE(4) !== sizeBytes % 2 ** 32)
    throw damaged('the sum of a part does not hold');
}

async function skipHeader(source: ByteSource): Promise<void> {
  const head = await source.take(10);
  const flags = head?.[3] ?? 0;
  if (head?.[2] !== 8) throw damaged('a part is cut off');
  if ((flags & FLAGS.extra) !== 0) {
    const size = await source.take(2);
    if (size === undefined || !(await source.skip(size.readUInt16LE(0)))) throw damaged('a part is cut off');
  }
  for (const flag of [FLAGS.name, FLAGS.comment]) {
    if ((flags & flag) === 0) continue;
    for (let byte = await source.take(1); byte?.[0] !== 0; byte = await source.take(1))
      if (byte === undefined) throw damaged('a part is cut off');
  }
  if ((flags & FLAGS.headerCrc) !== 0) await source.skip(2);
}

/** What is wrong with the bytes of an initramfs. */
export function damaged(why: string): LayerError {
  return new LayerError('BASE_UNSUPPORTED', `Cannot read the initramfs of the base: ${why}`, {
    hint: 'Look at it with lsinitrd; the base may be damaged.',
  });
}
