import { ByteSource } from './byte-source.ts';
import { compressionOf, damaged, MAX_UNPACKED_BYTES, unpackMember } from './unpack-member.ts';

/** An entry of one of the archives; a later one of the same path takes its place. */
export interface InitramfsEntry {
  /** Without a leading `/` or `./`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  readonly sizeBytes: number;
}

export interface ReadInitramfsOptions {
  /** Says of files and symlinks whether `onContent` gets their bytes. */
  readonly wants: (entry: InitramfsEntry) => boolean;
  readonly onEntry: (entry: InitramfsEntry) => void;
  readonly onContent: (entry: InitramfsEntry, bytes: Buffer) => void;
}

const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
const MAX_NAME_BYTES = 4097;
const MAX_ENTRIES = 500_000;
const MAX_WANTED_BYTES = 128 * 1024 ** 2;

/**
 * Reads an initramfs as the kernel does: cpio archives (`newc`) one after the other, each plain or packed, with zeros
 * between them.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED` for what the kernel would not take, or is packed in a way that is not read here;
 *   {ModuleError} for a part that does not unpack.
 * @see linux `Documentation/driver-api/early-userspace/buffer-format.rst`
 */
export async function readInitramfs(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadInitramfsOptions,
): Promise<void> {
  const source = new ByteSource(chunks);
  const budget = { entries: MAX_ENTRIES, wantedBytes: MAX_WANTED_BYTES };
  try {
    for (;;) {
      await source.skipZeros();
      const head = await source.peek(6);
      if (head.length === 0) return;
      if (isMagic(head)) {
        if (source.position % 4 !== 0) throw damaged('an archive does not begin on a multiple of four');
        await readArchive(source, options, budget);
        continue;
      }
      const inner = new ByteSource(unpackMember(source, compressionOf(head)));
      await readArchives(inner, options, budget);
    }
  } finally {
    await source.close();
  }
}

interface Budget {
  entries: number;
  wantedBytes: number;
}

async function readArchives(
  source: ByteSource,
  options: ReadInitramfsOptions,
  budget: Budget,
): Promise<void> {
  try {
    for (;;) {
      await source.skipZeros();
      const head = await source.peek(6);
      if (head.length === 0) return;
      if (!isMagic(head)) throw damaged('a packed part holds no archive');
      await readArchive(source, options, budget);
    }
  } finally {
    await source.close();
  }
}

async function readArchive(
  source: ByteSource,
  { wants, onEntry, onContent }: ReadInitramfsOptions,
  budget: Budget,
): Promise<void> {
  const start = source.position;
  const align = async (): Promise<void> => {
    // What fills up the end of the last entry may be missing.
    await source.skip((4 - ((source.position - start) % 4)) % 4);
  };
  for (;;) {
    const header = await source.take(HEADER_BYTES);
    if (header === undefined) throw damaged('an archive is cut off');
    if (!isMagic(header)) throw damaged('an archive has something that is no entry');
    const [mode, sizeBytes, nameBytes] = [field(header, 1), field(header, 6), field(header, 11)];
    if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES) throw damaged('an entry has no sane name');
    if (sizeBytes > MAX_UNPACKED_BYTES) throw damaged('an entry has gigabytes');
    const name = await source.take(nameBytes);
    if (name?.at(-1) !== 0) throw damaged('the name of an entry does not end');
    const text = name.toString('utf8', 0, nameBytes - 1);
    await align();
    if (text === TRAILER) return;
    if (--budget.entries < 0) throw damaged(`it has more than ${MAX_ENTRIES} entries`);
    const entry = { path: plainPath(text), type: typeOf(mode), sizeBytes };
    onEntry(entry);
    if ((entry.type === 'file' || entry.type === 'symlink') && wants(entry)) {
      budget.wantedBytes -= sizeBytes;
      if (budget.wantedBytes < 0) throw damaged(`indexes have more than ${MAX_WANTED_BYTES} bytes`);
      const bytes = await source.take(sizeBytes);
      if (bytes === undefined) throw damaged('an archive is cut off');
      onContent(entry, Buffer.from(bytes));
    } else if (!(await source.skip(sizeBytes))) throw damaged('an archive is cut off');
    await align();
  }
}

function isMagic(bytes: Buffer): boolean {
  const magic = bytes.toString('latin1', 0, 6);
  return magic === '070701' || magic === '070702';
}

/** One of the thirteen numbers of a header. */
function field(header: Buffer, index: number): number {
  const text = header.toString('latin1', 6 + 8 * index, 14 + 8 * index);
  if (!/^[0-9a-fA-F]{8}$/.test(text)) throw damaged('the header of an entry holds no numbers');
  return Number.parseInt(text, 16);
}

function typeOf(mode: number): InitramfsEntry['type'] {
  const kind = mode & 0o170000;
  return kind === 0o100000
    ? 'file'
    : kind === 0o040000
      ? 'directory'
      : kind === 0o120000
        ? 'symlink'
        : 'other';
}

function plainPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw damaged('an entry leaves the root');
  return parts.join('/');
}
