import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** One entry of a tar in GNU format. Owner is 0:0 and time is 0, as rpm-ostree writes them. */
export interface TarEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly content?: () => Buffer;
  readonly linkPath?: string;
  /** Written as a PAX record `SCHILY.xattr.<name>` before the entry. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

const TYPE_FLAGS = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const;
const BLOCK = 512;

/** The bytes of a tar, with its two blocks of zeros at the end. */
export function* tarBytes(entries: Iterable<TarEntry>): Generator<Buffer> {
  for (const entry of entries) {
    const path = entry.type === 'directory' ? `${entry.path.replace(/\/$/, '')}/` : entry.path;
    if (entry.xattrs !== undefined) yield* paxRecords(entry.xattrs);
    if (Buffer.byteLength(path) >= 100) yield* longName('L', path);
    if (Buffer.byteLength(entry.linkPath ?? '') >= 100) yield* longName('K', entry.linkPath ?? '');
    const content = entry.type === 'file' ? (entry.content?.() ?? Buffer.alloc(0)) : Buffer.alloc(0);
    yield header(path, TYPE_FLAGS[entry.type], {
      mode: entry.mode,
      sizeBytes: content.length,
      linkPath: entry.linkPath ?? '',
    });
    yield* padded(content);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** Everything under a directory, in path order, for an ordinary layer. */
export function* entriesOf(root: string, prefix = ''): Generator<TarEntry> {
  for (const name of readdirSync(join(root, prefix)).sort()) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    const file = join(root, path);
    const stat = lstatSync(file);
    const mode = stat.mode & 0o7777;
    if (stat.isSymbolicLink()) yield { path, type: 'symlink', mode: 0o777, linkPath: readlinkSync(file) };
    else if (stat.isFile()) yield { path, type: 'file', mode, content: () => readFileSync(file) };
    else if (stat.isDirectory()) {
      yield { path, type: 'directory', mode };
      yield* entriesOf(root, path);
    }
  }
}

/** A regular file with known content. */
export function fileEntry(path: string, content: string | Buffer, mode = 0o644): TarEntry {
  return { path, type: 'file', mode, content: () => Buffer.from(content) };
}

function* longName(typeFlag: 'L' | 'K', name: string): Generator<Buffer> {
  const bytes = Buffer.from(`${name}\0`);
  yield header('././@LongLink', typeFlag, { mode: 0o644, sizeBytes: bytes.length, linkPath: '' });
  yield* padded(bytes);
}

function* paxRecords(xattrs: Readonly<Record<string, string>>): Generator<Buffer> {
  const records = Object.entries(xattrs).map(([name, value]) => {
    const rest = ` SCHILY.xattr.${name}=${value}\n`;
    let length = rest.length + 1;
    while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
    return `${length}${rest}`;
  });
  const bytes = Buffer.from(records.join(''), 'latin1');
  yield header('./PaxHeaders/xattrs', 'x', { mode: 0o644, sizeBytes: bytes.length, linkPath: '' });
  yield* padded(bytes);
}

function header(
  path: string,
  typeFlag: string,
  fields: { readonly mode: number; readonly sizeBytes: number; readonly linkPath: string },
): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path.slice(0, 100), 0, 100);
  block.write(octal(fields.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(fields.sizeBytes, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(typeFlag, 156);
  block.write(fields.linkPath.slice(0, 100), 157, 100);
  block.write('ustar  \0', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function* padded(bytes: Buffer): Generator<Buffer> {
  if (bytes.length === 0) return;
  yield bytes;
  if (bytes.length % BLOCK !== 0) yield Buffer.alloc(BLOCK - (bytes.length % BLOCK));
}
