import { RegistryError } from '../errors.ts';

/** Where a file's bytes stand in a tar. */
export interface TarPart {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Reads bytes of a file at an offset; fewer than asked for only at its end. */
export type ReadAt = (offset: number, sizeBytes: number) => Promise<Buffer>;

const BLOCK = 512;
const MAX_ENTRIES = 100_000;
/** Long names and pax records: real ones have some hundred bytes. */
const MAX_RECORD_BYTES = 64 * 1024;

/**
 * Lists the regular files of a tar by their plain paths, by its headers alone: contents are skipped, not read. Of two
 * files of one path the later one counts.
 *
 * @param where Said in messages.
 * @throws {RegistryError} `LAYOUT_INVALID` for a tar that is broken or breaks off.
 * @see POSIX.1-2017, pax, "ustar Interchange Format"
 */
export async function readTarIndex(
  readAt: ReadAt,
  fileBytes: number,
  where: string,
): Promise<ReadonlyMap<string, TarPart>> {
  const parts = new Map<string, TarPart>();
  let longName: string | undefined;
  let longSize: number | undefined;
  let offset = 0;
  for (let entries = 0; ; entries++) {
    const header = await readAt(offset, BLOCK);
    if (header.length < BLOCK || header.every((byte) => byte === 0)) return parts;
    if (entries >= MAX_ENTRIES) throw broken(where, `it has more than ${MAX_ENTRIES} entries`);
    if (!hasGoodChecksum(header)) throw broken(where, `there is no tar header at byte ${offset}`);
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = longSize ?? parseNumber(header.subarray(124, 136), where);
    const start = offset + BLOCK;
    if (start + sizeBytes > fileBytes) throw broken(where, 'it breaks off in the middle of a file');
    offset = start + Math.ceil(sizeBytes / BLOCK) * BLOCK;

    if (type === 'x' || type === 'L') {
      if (sizeBytes > MAX_RECORD_BYTES) throw broken(where, `a header of it has ${sizeBytes} bytes`);
      const record = await readAt(start, sizeBytes);
      if (type === 'L') {
        longName = textOf(record);
        continue;
      }
      const pax = parsePax(record);
      longName = pax.get('path') ?? longName;
      const size = pax.get('size');
      if (size !== undefined && /^\d{1,15}$/.test(size)) longSize = Number(size);
      continue;
    }
    if (type === '0' || type === '\0' || type === '7') {
      const path = plainPath(longName ?? nameOf(header));
      parts.set(path, { offset: start, sizeBytes });
    }
    longName = undefined;
    longSize = undefined;
  }
}

/** The header of a regular file with mode 0644 of nobody in particular, at the start of 1970. */
export function tarHeader(path: string, sizeBytes: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(path, 0, 100, 'utf8');
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  // Eleven octal digits hold 8 GiB; larger files are written in base 256.
  if (sizeBytes < 8 ** 11) header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Zero bytes that fill a file up to whole blocks. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

/** The two empty blocks at the end of a tar. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

function hasGoodChecksum(header: Buffer): boolean {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  return Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8) === sum;
}

function nameOf(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? textOf(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function parseNumber(field: Buffer, where: string): number {
  const isBase256 = ((field[0] ?? 0) & 0x80) !== 0;
  const value = isBase256 ? Number(field.readBigUInt64BE(4)) : parseOctal(textOf(field));
  if (!Number.isSafeInteger(value) || value < 0) throw broken(where, 'it holds a file of no sane size');
  return value;
}

function parseOctal(text: string): number {
  const digits = text.trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function parsePax(record: Buffer): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let at = 0;
  while (at < record.length) {
    const space = record.indexOf(0x20, at);
    if (space < 0) return values;
    const length = Number(record.toString('latin1', at, space));
    if (!Number.isInteger(length) || length <= space - at || at + length > record.length) return values;
    const [, key, value] = /^([^=]*)=([^]*)\n$/.exec(record.toString('utf8', space + 1, at + length)) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, value);
    at += length;
  }
  return values;
}

function plainPath(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function broken(where: string, why: string): RegistryError {
  return new RegistryError('LAYOUT_INVALID', `Cannot read ${where}: ${why}`, {
    hint: 'The archive is damaged or incomplete: write it again.',
  });
}
