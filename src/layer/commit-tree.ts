import type { KnownPath } from './layer-paths.ts';
import { digestOf, hexOf } from '../oci/digest.ts';

/** Directory entries and commits of an encapsulated commit, by `<checksum>.<kind>`. */
export type CommitObjects = ReadonlyMap<string, Uint8Array>;

/** All paths of a commit; an OS has some 5 MB of them. */
const MAX_PATHS_LENGTH = 64 * 1024 ** 2;

const CHECKSUM_BYTES = 32;

/**
 * The paths of a commit, from its directory objects alone: the first layer of an encapsulated OS image has them all in
 * some 2 MB, while the files themselves fill the other layers.
 *
 * @param commit Checksum of the commit.
 * @returns Undefined for objects that are missing, damaged, or not what their checksums say: nothing is known then.
 * @see ostree, `src/libostree/ostree-core.h`: `OSTREE_TREE_GVARIANT_FORMAT`, `OSTREE_COMMIT_GVARIANT_FORMAT`
 */
export function readCommitPaths(
  objects: CommitObjects,
  commit: string,
): ReadonlyMap<string, KnownPath> | undefined {
  const commitBytes = findObject(objects, commit, 'commit');
  const root = commitBytes === undefined ? undefined : rootOf(commitBytes);
  if (root === undefined) return undefined;
  const paths = new Map<string, KnownPath>();
  const checked = new Map<string, DirectoryTree>();
  const pending = [{ path: '', checksum: root }];
  let length = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, checksum } = next;
    const tree = checked.get(checksum) ?? readDirectory(objects, checksum);
    if (tree === undefined) return undefined;
    checked.set(checksum, tree);
    // Few objects can stand for many paths: one directory may be in many places.
    length += path.length * (tree.files.length + tree.directories.length) + tree.namesLength;
    if (length > MAX_PATHS_LENGTH) return undefined;
    for (const name of tree.files) paths.set(exported(path + name), { kind: 'file', sizeBytes: undefined });
    for (const { name, contents } of tree.directories) {
      paths.set(exported(path + name), { kind: 'directory', sizeBytes: undefined });
      pending.push({ path: `${path}${name}/`, checksum: contents });
    }
  }
  return paths;
}

/** The commit holds `/etc` as `/usr/etc`; an image has it where nodes will have it. */
function exported(path: string): string {
  return path === 'usr/etc' || path.startsWith('usr/etc/') ? path.slice('usr/'.length) : path;
}

interface DirectoryTree {
  readonly namesLength: number;
  readonly files: readonly string[];
  readonly directories: readonly { readonly name: string; readonly contents: string }[];
}

function readDirectory(objects: CommitObjects, checksum: string): DirectoryTree | undefined {
  const bytes = findObject(objects, checksum, 'dirtree');
  return bytes === undefined ? undefined : parseDirectory(bytes);
}

function findObject(objects: CommitObjects, checksum: string, kind: string): Buffer | undefined {
  const bytes = objects.get(`${checksum}.${kind}`);
  if (bytes === undefined || hexOf(digestOf(bytes)) !== checksum) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Checksum of the root directory: the last but one member of `(a{sv}aya(say)sstayay)`. */
function rootOf(commit: Buffer): string | undefined {
  const width = offsetWidth(commit.length);
  const table = commit.length - 6 * width;
  if (table < 2 * CHECKSUM_BYTES) return undefined;
  const end = commit.readUIntLE(table, width);
  if (end < CHECKSUM_BYTES || end + CHECKSUM_BYTES !== table) return undefined;
  return commit.toString('hex', end - CHECKSUM_BYTES, end);
}

/** A directory: `(a(say)a(sayay))`, its files and its directories. */
function parseDirectory(bytes: Buffer): DirectoryTree | undefined {
  const width = offsetWidth(bytes.length);
  if (bytes.length < width) return undefined;
  const table = bytes.length - width;
  const split = bytes.readUIntLE(table, width);
  if (split > table) return undefined;
  const files = elementsOf(bytes.subarray(0, split))?.map((element) => membersOf(element, 2));
  const directories = elementsOf(bytes.subarray(split, table))?.map((element) => membersOf(element, 3));
  if (files?.includes(undefined) !== false || directories?.includes(undefined) !== false) return undefined;
  return {
    namesLength: bytes.length,
    files: files.map((members) => members?.[0]?.toString('utf8') ?? ''),
    directories: directories.map((members) => ({
      name: members?.[0]?.toString('utf8') ?? '',
      contents: members?.[1]?.toString('hex') ?? '',
    })),
  };
}

/** Elements of an array whose elements have sizes of their own: their ends stand at its end. */
function elementsOf(array: Buffer): readonly Buffer[] | undefined {
  if (array.length === 0) return [];
  const width = offsetWidth(array.length);
  if (array.length < width) return undefined;
  const table = array.readUIntLE(array.length - width, width);
  if (table > array.length - width || (array.length - table) % width !== 0) return undefined;
  const elements: Buffer[] = [];
  let start = 0;
  for (let at = table; at < array.length; at += width) {
    const end = array.readUIntLE(at, width);
    if (end < start || end > table) return undefined;
    elements.push(array.subarray(start, end));
    start = end;
  }
  return elements;
}

/** A name, and the checksums that follow it: a tuple whose ends stand at its end, the first one last. */
function membersOf(tuple: Buffer, count: 2 | 3): readonly Buffer[] | undefined {
  const width = offsetWidth(tuple.length);
  const table = tuple.length - (count - 1) * width;
  const name = table < 0 ? -1 : tuple.readUIntLE(tuple.length - width, width) - 1;
  if (name < 1 || name >= table || tuple[name] !== 0) return undefined;
  if (table - name - 1 !== (count - 1) * CHECKSUM_BYTES) return undefined;
  const text = tuple.subarray(0, name);
  if (text.includes(0x2f) || text.includes(0)) return undefined;
  return [text, tuple.subarray(name + 1, name + 1 + CHECKSUM_BYTES)];
}

/** Bytes that an offset takes in a container of a size. */
function offsetWidth(sizeBytes: number): number {
  if (sizeBytes <= 0xff) return 1;
  return sizeBytes <= 0xffff ? 2 : 4;
}
