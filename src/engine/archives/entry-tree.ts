import { CompileError } from '../../errors.ts';

/** One entry of an archive, as the archive spells it. */
export interface ArchiveEntry {
  /** Path in the archive. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  readonly sizeBytes: number;
  /** Its owner may run it. */
  readonly isProgram: boolean;
  /** Where a link points: for a symlink as it stands, for a hard link a path in the archive. */
  readonly target?: string | undefined;
}

/** An entry that may be written: a plain relative path below which nothing but directories stands in the way. */
export interface SafeEntry extends ArchiveEntry {
  readonly type: Exclude<ArchiveEntry['type'], 'other'>;
}

export interface ArchiveLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** A driver's source has some thousand files and some megabytes; the kernel itself has 90,000 and 1.5 GB. */
export const ARCHIVE_LIMITS: ArchiveLimits = { entries: 200_000, bytes: 4 * 1024 ** 3 };

const MAX_PATH = 4096;
const MAX_NAME = 255;
/** Links that the kernel follows before it gives up. */
const MAX_LINKS = 40;

/** What an archive has put where so far. It refuses what would leave the directory that the archive is unpacked to. */
export interface EntryTree {
  /**
   * Checks the next entry.
   *
   * @returns undefined for entries that mean nothing: the root itself.
   * @throws {CompileError} `ARCHIVE_UNSAFE`.
   */
  add(entry: ArchiveEntry): SafeEntry | undefined;
  /**
   * Checks the links below a directory, which may point to what comes later.
   *
   * @param below The directory that is kept; empty for all of the archive.
   * @throws {CompileError} `ARCHIVE_UNSAFE` when one leads out of it.
   */
  checkLinks(below: string): void;
  /** Names at the top. */
  top(): readonly string[];
  /** What stands at a path. */
  typeAt(path: string): SafeEntry['type'] | undefined;
}

/** @param name The archive, for messages. */
export function makeEntryTree(name: string, limits: ArchiveLimits = ARCHIVE_LIMITS): EntryTree {
  const types = new Map<string, SafeEntry['type']>();
  const links = new Map<string, string>();
  const left = { ...limits };
  const refuse = (why: string): CompileError => unsafe(name, why);

  const makeParents = (path: string): void => {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const type = types.get(parent);
      if (type === undefined) {
        types.set(parent, 'directory');
        left.entries -= 1;
      } else if (type !== 'directory')
        throw refuse(`${quoted(path)} lies below ${quoted(parent)}, a ${type}`);
    }
  };

  return {
    add(entry) {
      const path = plainPath(entry.path, refuse);
      if (path === '') return undefined;
      left.entries -= 1;
      left.bytes -= entry.type === 'file' ? entry.sizeBytes : 0;
      if (left.entries < 0) throw refuse(`it has more than ${limits.entries} entries`);
      if (left.bytes < 0) throw refuse(`it unpacks to more than ${limits.bytes} bytes`);
      const { type } = entry;
      if (type === 'other') throw refuse(`${quoted(path)} is neither file, directory nor link`);
      const before = types.get(path);
      const isAgain = before === type && (type === 'file' || type === 'directory');
      if (before !== undefined && !isAgain) throw refuse(`${quoted(path)} is there twice`);
      makeParents(path);
      if (left.entries < 0) throw refuse(`it has more than ${limits.entries} entries`);
      if (type === 'hardlink') {
        const target = plainPath(entry.target ?? '', refuse);
        if (types.get(target) !== 'file' && types.get(target) !== 'hardlink') {
          throw refuse(`${quoted(path)} is a hard link to ${quoted(target)}, which is no file before it`);
        }
        types.set(path, type);
        return { ...entry, type, path, target };
      }
      if (type === 'symlink') links.set(path, entry.target ?? '');
      types.set(path, type);
      return { ...entry, type, path };
    },
    checkLinks(below) {
      const depth = below === '' ? 0 : below.split('/').length;
      for (const [path, target] of links) {
        if (below !== '' && !path.startsWith(`${below}/`)) continue;
        if (target === '' || target.includes('\0') || !staysInside(path, links, depth)) {
          throw refuse(`the link ${quoted(path)} leads to ${quoted(target)}, out of it`);
        }
      }
    },
    top: () => [...types.keys()].filter((path) => !path.includes('/')),
    typeAt: (path) => types.get(path),
  };
}

/**
 * Follows a link as the kernel would, through other links. One that leads nowhere inside is harmless.
 *
 * @param depth Names of the directory that it must not leave.
 */
function staysInside(path: string, links: ReadonlyMap<string, string>, depth: number): boolean {
  const waiting = path.split('/').reverse();
  const at: string[] = [];
  let followed = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.length <= depth) return false;
      at.pop();
      continue;
    }
    const target = links.get([...at, part].join('/'));
    if (target === undefined) {
      at.push(part);
      continue;
    }
    followed += 1;
    // A circle: whoever follows it gets an error, and gets nowhere.
    if (followed > MAX_LINKS) return true;
    if (target.startsWith('/')) return false;
    waiting.push(...target.split('/').reverse());
  }
  return true;
}

function plainPath(path: string, refuse: (why: string) => CompileError): string {
  if (path.length > MAX_PATH) throw refuse(`the path ${quoted(path)}... is too long`);
  if (path.startsWith('/')) throw refuse(`the path ${quoted(path)} is absolute`);
  if (path.includes('\0')) throw refuse(`the path ${quoted(path)} holds a NUL`);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refuse(`the path ${quoted(path)} leaves it`);
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME)) {
    throw refuse(`the path ${quoted(path)} has a name of over ${MAX_NAME} bytes`);
  }
  return parts.join('/');
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}

function unsafe(name: string, why: string): CompileError {
  return new CompileError('ARCHIVE_UNSAFE', `Cannot unpack ${name}: ${why}`, {
    hint: 'Archives of sources hold files, directories and links among them. Get it again from its maker, or repack it.',
  });
}
