import { LayerError } from '../errors.ts';

/** A file of the layer. Everything else about it is fixed: a regular file, 0:0, one time stamp. */
export interface LayerFile {
  /** Path without leading slash, for instance `usr/lib/modules-load.d/kmodlayer-ice.conf`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Permission bits; 0644 when absent. */
  readonly mode?: number;
}

/** A symlink of a kmod image. */
export interface LayerLink {
  readonly path: string;
  readonly target: string;
}

/** A directory of a kmod image that is there also when nothing is in it. */
export interface LayerDirectory {
  readonly path: string;
  readonly isDirectory: true;
}

/** A file that is too large to hold. */
export interface StreamedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Its bytes from the start, each time the same. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** What a tar may have. */
export type TarItem = LayerFile | LayerLink | LayerDirectory | StreamedFile;

/** What the tar is for, which decides what may be where: an OS image, or an image that holds modules alone. */
export type TarPlace = 'os' | 'kmod';

const BLOCK_BYTES = 512;

/** One second after the epoch: ostree sets every time to 0 anyhow, and some unpackers take 0 for "not given". */
const MTIME_SECONDS = 1;

/** What an OS image may get from us: everything else is dropped without a word when a node imports the image. */
const TOP_LEVEL: Readonly<Record<TarPlace, ReadonlySet<string>>> = {
  os: new Set(['usr', 'etc']),
  kmod: new Set(['opt', 'firmware', 'usr']),
};

/** What a node can create. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4095;

/**
 * The parts of a tar that depends on nothing but paths, modes and bytes: entries sorted by path, parents before children,
 * owner 0:0, one time stamp, ustar headers with PAX records for long paths.
 *
 * Parent directories are written as 0755: an engine that unpacks a layer on its own makes up the modes of directories
 * that are not in it, while ostree keeps those of the base.
 *
 * Bytes of files are among the parts as they are, and not copied: firmware of hundreds of megabytes is held once.
 *
 * @throws {LayerError} `PATH_INVALID` or `PATH_CONFLICT`.
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
export function tarParts(files: readonly LayerFile[]): readonly Uint8Array[];
export function tarParts(
  items: readonly Exclude<TarItem, StreamedFile>[],
  place: TarPlace,
): readonly Uint8Array[];
export function tarParts(items: readonly TarItem[], place?: TarPlace): readonly (Uint8Array | StreamedFile)[];
export function tarParts(
  items: readonly TarItem[],
  place: TarPlace = 'os',
): readonly (Uint8Array | StreamedFile)[] {
  const byPath = new Map<string, Exclude<TarItem, LayerDirectory>>();
  const directories = new Set<string>();
  for (const item of items) {
    // A directory may be wherever a file in it may be.
    requirePlainPath('isDirectory' in item ? `${item.path}/file` : item.path, place);
    if ('bytes' in item) requirePlainMode(item);
    if ('isDirectory' in item) {
      directories.add(item.path);
    } else {
      if (byPath.has(item.path)) throw conflict(item.path, 'two files want that path');
      byPath.set(item.path, item);
    }
    for (let at = item.path.indexOf('/'); at > 0; at = item.path.indexOf('/', at + 1)) {
      directories.add(item.path.slice(0, at));
    }
  }
  const parts: (Uint8Array | StreamedFile)[] = [];
  for (const path of [...directories, ...byPath.keys()].sort(compareBytes)) {
    const item = byPath.get(path);
    if (item === undefined) {
      parts.push(...header({ path: `${path}/`, mode: 0o755, sizeBytes: 0, type: '5' }));
    } else {
      if (directories.has(path)) throw conflict(path, 'it is a directory too');
      parts.push(...itemParts(item));
    }
  }
  parts.push(Buffer.alloc(2 * BLOCK_BYTES));
  return parts;
}

function itemParts(item: Exclude<TarItem, LayerDirectory>): readonly (Uint8Array | StreamedFile)[] {
  const { path } = item;
  if ('target' in item) return header({ path, mode: 0o777, sizeBytes: 0, type: '2', target: item.target });
  const sizeBytes = 'bytes' in item ? item.bytes.length : item.sizeBytes;
  const mode = 'bytes' in item ? (item.mode ?? 0o644) : 0o644;
  return [
    ...header({ path, mode, sizeBytes, type: '0' }),
    'bytes' in item ? item.bytes : item,
    padding(sizeBytes),
  ];
}

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly type: '0' | '2' | '5' | 'x';
  /** Where a symlink points. */
  readonly target?: string;
}

function header(entry: Entry): Buffer[] {
  const name = Buffer.from(entry.path);
  // A ustar header holds ASCII: what another byte means is for the reader to guess.
  const isAscii = name.length === entry.path.length;
  if (isAscii && name.length <= 100) return [ustar(entry, name, Buffer.alloc(0))];
  const split = isAscii ? splitAt(name) : undefined;
  if (split !== undefined) return [ustar(entry, name.subarray(split + 1), name.subarray(0, split))];
  const record = paxRecord('path', entry.path);
  return [
    ustar(
      { path: '', mode: 0o644, sizeBytes: record.length, type: 'x' },
      Buffer.from('pax'),
      Buffer.alloc(0),
    ),
    record,
    padding(record.length),
    ustar(entry, name.subarray(0, 100), Buffer.alloc(0)),
  ];
}

/** Where a long path can be cut into a prefix of at most 155 bytes and a name of at most 100. */
function splitAt(name: Buffer): number | undefined {
  for (let at = Math.min(155, name.length - 2); at > 0; at--) {
    if (name[at] === 0x2f) return name.length - at - 1 <= 100 ? at : undefined;
  }
  return undefined;
}

/** Longest target of a symlink that a header takes. */
const MAX_TARGET_BYTES = 100;

function ustar({ path, mode, sizeBytes, type, target = '' }: Entry, name: Buffer, prefix: Buffer): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  name.copy(block, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(sizeBytes, 11), 124);
  block.write(octal(MTIME_SECONDS, 11), 136);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  if (Buffer.byteLength(target) > MAX_TARGET_BYTES)
    throw new LayerError('CONTENT_INVALID', `Cannot write the link ${path}: its target is too long`);
  block.write(target, 157);
  block.write('ustar\u000000', 257);
  prefix.copy(block, 345);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${octal(checksum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** One PAX record; its length field counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const body = ` ${key}=${value}\n`;
  const bodyBytes = Buffer.byteLength(body);
  let totalBytes = bodyBytes + 1;
  while (totalBytes !== bodyBytes + String(totalBytes).length)
    totalBytes = bodyBytes + String(totalBytes).length;
  return Buffer.from(`${totalBytes}${body}`);
}

function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function requirePlainPath(path: string, place: TarPlace): void {
  const parts = path.split('/');
  const [top, second] = parts;
  const isPlain = parts.every(
    (part) =>
      part !== '' &&
      part !== '.' &&
      part !== '..' &&
      !part.startsWith('.wh.') &&
      Buffer.byteLength(part) <= MAX_NAME_BYTES,
  );
  const isText = !hasControl(path) && Buffer.from(path).toString('utf8') === path;
  const isOurs = parts.length > 1 && TOP_LEVEL[place].has(top ?? '');
  const isTheirs = top === 'usr' && (second === 'etc' || second === 'local');
  if (isPlain && isText && isOurs && !isTheirs && Buffer.byteLength(path) <= MAX_PATH_BYTES) return;
  const what = place === 'os' ? 'a layer of an OS image' : 'a kmod image';
  throw new LayerError('PATH_INVALID', `Cannot put ${JSON.stringify(path.slice(0, 300))} into ${what}`, {
    hint:
      place === 'os'
        ? 'Nodes import only plain paths under usr/ and etc/, and usr/etc and usr/local are theirs.'
        : undefined,
  });
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) < 0x20 || text.charCodeAt(at) === 0x7f) return true;
  return false;
}

function requirePlainMode({ path, mode = 0o644 }: LayerFile): void {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return;
  throw new LayerError('CONTENT_INVALID', `Cannot give ${path} the mode ${mode.toString(8)}`, {
    hint: 'Files of a layer have permission bits only, 0000 to 0777.',
  });
}

function conflict(path: string, why: string): LayerError {
  return new LayerError('PATH_CONFLICT', `Cannot write ${path} into the layer: ${why}`);
}
