import { damaged } from './decompress.ts';

/** One entry of a cpio archive. */
export interface CpioEntry {
  readonly path: string;
  /** As `stat` has it: kind of file and permissions. */
  readonly mode: number;
  /** Entries of one number are the same file; one of them has its bytes. */
  readonly inode: number;
  readonly links: number;
  /** Content of a file, target of a symlink: a view. */
  readonly bytes: Uint8Array;
}

const HEADER_BYTES = 110;
/** Without and with a sum of the bytes, which rpm does not fill in. */
const MAGICS = new Set(['070701', '070702']);
const TRAILER = 'TRAILER!!!';

/**
 * Walks a cpio archive of the `newc` form, which is what an rpm holds.
 *
 * @param name The archive, for messages.
 * @throws {CompileError} `ARCHIVE_INVALID`.
 * @see https://man7.org/linux/man-pages/man5/cpio.5.html
 */
export function* readCpio(archive: Uint8Array, name: string): Generator<CpioEntry, void, undefined> {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  let at = 0;
  for (;;) {
    if (at + HEADER_BYTES > bytes.length) throw damaged(name, 'its cpio archive is cut off');
    const magic = bytes.toString('latin1', at, at + 6);
    if (!MAGICS.has(magic)) {
      const why =
        magic === '07070X'
          ? 'it holds a file of over 4 GiB'
          : 'its payload is no cpio archive of the newc form';
      throw damaged(name, why);
    }
    const field = (index: number): number => {
      const start = at + 6 + 8 * index;
      const text = bytes.toString('latin1', start, start + 8);
      if (!/^[0-9A-Fa-f]{8}$/.test(text)) throw damaged(name, 'a header of its cpio archive is damaged');
      return Number.parseInt(text, 16);
    };
    const [inode, mode, links, sizeBytes, nameBytes] = [field(0), field(1), field(4), field(6), field(11)];
    const nameStart = at + HEADER_BYTES;
    const dataStart = padded(nameStart + nameBytes);
    const end = padded(dataStart + sizeBytes);
    if (nameBytes < 1 || dataStart + sizeBytes > bytes.length) {
      throw damaged(name, 'its cpio archive is cut off');
    }
    const path = bytes.toString('utf8', nameStart, nameStart + nameBytes - 1);
    if (path === TRAILER) return;
    yield { path, mode, inode, links, bytes: bytes.subarray(dataStart, dataStart + sizeBytes) };
    at = end;
  }
}

function padded(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
