/** One entry of an initramfs. Paths have no leading `/`; directories above it are made as they are needed. */
export type InitramfsEntry =
  | { readonly path: string; readonly type: 'file'; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string }
  | { readonly path: string; readonly type: 'directory' }
  | {
      readonly path: string;
      readonly type: 'character-device';
      readonly major: number;
      readonly minor: number;
    };

const TRAILER = 'TRAILER!!!';
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;

/**
 * An archive that the kernel unpacks into its first root: `newc` cpio, sorted by path, every owner, time and inode
 * fixed, so that equal entries give equal bytes.
 *
 * @throws {RangeError} when two entries have one path, or one stands below what is no directory: a mistake of the caller.
 * @see linux `Documentation/driver-api/early-userspace/buffer-format.rst`
 */
export function writeInitramfs(entries: readonly InitramfsEntry[]): Buffer {
  const byPath = new Map<string, InitramfsEntry>();
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new RangeError(`Two entries for ${entry.path}`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries) addParents(path, byPath);
  // A directory sorts before what is in it: its path is the start of theirs.
  const sorted = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return Buffer.concat([
    ...sorted.flatMap((entry, index) => writeEntry(entry, index + 1)),
    ...writeRecord({ path: TRAILER, inode: 0, mode: 0, content: Buffer.alloc(0) }),
  ]);
}

function addParents(path: string, byPath: Map<string, InitramfsEntry>): void {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const parent = path.slice(0, at);
    const known = byPath.get(parent);
    if (known === undefined) byPath.set(parent, { path: parent, type: 'directory' });
    else if (known.type !== 'directory') throw new RangeError(`${path} stands below a ${known.type}`);
  }
}

function writeEntry(entry: InitramfsEntry, inode: number): readonly Uint8Array[] {
  const { path } = entry;
  const nothing = Buffer.alloc(0);
  switch (entry.type) {
    case 'file':
      return writeRecord({ path, inode, mode: S_IFREG | (entry.mode ?? 0o644), content: entry.bytes });
    case 'symlink':
      return writeRecord({ path, inode, mode: S_IFLNK | 0o777, content: Buffer.from(entry.target) });
    case 'directory':
      return writeRecord({ path, inode, mode: S_IFDIR | 0o755, content: nothing });
    case 'character-device': {
      const device = [entry.major, entry.minor] as const;
      return writeRecord({ path, inode, mode: S_IFCHR | 0o600, content: nothing, device });
    }
  }
}

interface CpioRecord {
  readonly path: string;
  readonly inode: number;
  readonly mode: number;
  readonly content: Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

/** Header with thirteen numbers of eight hex digits, name, content; name and content end on multiples of four. */
function writeRecord({ path, inode, mode, content, device = [0, 0] }: CpioRecord): readonly Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const isDirectory = (mode & 0o170000) === S_IFDIR;
  const numbers = [
    inode,
    mode,
    0,
    0,
    isDirectory ? 2 : 1,
    0,
    content.length,
    0,
    0,
    ...device,
    name.length,
    0,
  ];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return [Buffer.from(header), name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
