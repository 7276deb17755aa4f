import { createHash } from 'node:crypto';
import { fileEntry, type TarEntry } from './tar.ts';

/** A file of the OS, at its real path. */
export interface OsFile {
  readonly path: string;
  readonly mode: number;
  /** Bytes of a regular file. */
  readonly content?: () => Buffer;
  /** Names the content, so that it need not be hashed. */
  readonly contentKey?: string;
  /** Target of a symbolic link. */
  readonly target?: string;
  /** Extended attributes that also stand in the PAX header. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** Files of one rpm, as rpm-ostree's chunking sees it. */
export interface Component {
  /** As layer annotations name it, for instance `kernel-modules-core`. */
  readonly name: string;
  /** As the history names it, for instance `kernel-modules-core-5.14.0-427.el9_4.x86_64`. */
  readonly identifier: string;
  readonly files: readonly OsFile[];
}

const OBJECTS = 'sysroot/ostree/repo/objects';
const REPO_CONFIG = '[core]\nrepo_version=1\nmode=bare-split-xattrs\n';

/** What rpm-ostree says about a chunk: one identifier, some joined by ` and `, a count, or that it is kept free. */
export function chunkTitle(components: readonly Component[]): string {
  if (components.length === 0) return 'Reserved for new packages';
  if (components.length > 5) return `${components.length} components`;
  return components
    .map(({ identifier }) => identifier)
    .sort()
    .join(' and ');
}

/**
 * The first layer of an encapsulated commit: the repository's frame, the objects of commit and directories, and every
 * directory of the OS. The objects hold stand-in bytes: nothing but ostree itself reads them.
 */
export function* commitLayer(commit: string, files: readonly OsFile[]): Generator<TarEntry> {
  for (const path of ['sysroot', 'sysroot/ostree', 'sysroot/ostree/repo', OBJECTS]) yield directory(path);
  yield* objectDirectories();
  yield fileEntry('sysroot/ostree/repo/config', REPO_CONFIG);
  yield object(commit, 'commit', `commit ${commit}`);
  yield object(commit, 'commitmeta', `commitmeta ${commit}`);
  const directories = directoriesOf(files);
  for (const path of directories) {
    const checksum = sha256(`dirtree ${path}`);
    yield object(checksum, 'dirtree', `dirtree ${path}`);
    yield object(sha256(`dirmeta ${path}`), 'dirmeta', 'dirmeta');
  }
  for (const path of directories) {
    yield { path, type: 'directory', mode: path === 'var/tmp' ? 0o1777 : 0o755 };
  }
}

/**
 * A chunk: the files' content as objects in the order of their checksums, each followed by hard links that carry the
 * real paths. Empty files are regular files at their real path.
 *
 * @see ostree-ext, `tar/export.rs`
 */
export function* chunkLayer(components: readonly Component[]): Generator<TarEntry> {
  yield* objectDirectories();
  const byChecksum = new Map<string, OsFile[]>();
  for (const file of components.flatMap((component) => component.files)) {
    const checksum = checksumOf(file);
    byChecksum.set(checksum, [...(byChecksum.get(checksum) ?? []), file]);
  }
  const writtenXattrs = new Set<string>();
  for (const [checksum, files] of [...byChecksum].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const first = files[0];
    if (first !== undefined) yield* objectWithLinks(checksum, first, files, writtenXattrs);
  }
}

function* objectWithLinks(
  checksum: string,
  first: OsFile,
  files: readonly OsFile[],
  writtenXattrs: Set<string>,
): Generator<TarEntry> {
  const { mode } = first;
  const xattrs = `security.selinux=system_u:object_r:usr_t:s0 ${JSON.stringify(first.xattrs ?? {})}`;
  const xattrsPath = objectPath(sha256(xattrs), 'file-xattrs');
  if (!writtenXattrs.has(xattrsPath)) yield fileEntry(xattrsPath, xattrs);
  writtenXattrs.add(xattrsPath);
  yield { path: objectPath(checksum, 'file-xattrs-link'), type: 'hardlink', mode, linkPath: xattrsPath };

  const path = objectPath(checksum, 'file');
  if (first.target !== undefined) yield { path, type: 'symlink', mode: 0o777, linkPath: first.target };
  else {
    const content = first.content?.() ?? Buffer.alloc(0);
    const attributes = first.xattrs === undefined ? {} : { xattrs: first.xattrs };
    yield { path, type: 'file', mode, content: () => content, ...attributes };
    if (content.length === 0) {
      for (const file of files) yield { path: exported(file.path), type: 'file', mode };
      return;
    }
  }
  for (const file of files) yield { path: exported(file.path), type: 'hardlink', mode, linkPath: path };
}

/** ostree keeps `/etc` in `usr/etc` and exports it back. */
function exported(path: string): string {
  return path.replace(/^usr\/etc\//, 'etc/');
}

function checksumOf(file: OsFile): string {
  const hash = createHash('sha256').update(
    `${file.mode} ${file.target ?? ''} ${JSON.stringify(file.xattrs ?? {})}\n`,
  );
  if (file.contentKey !== undefined) hash.update(file.contentKey);
  else if (file.content !== undefined) hash.update(file.content());
  return hash.digest('hex');
}

function directoriesOf(files: readonly OsFile[]): readonly string[] {
  const found = new Set(['boot', 'dev', 'proc', 'run', 'sys', 'tmp', 'usr', 'var', 'var/tmp']);
  for (const { path } of files) {
    const parts = exported(path).split('/');
    for (let length = 1; length < parts.length; length += 1) found.add(parts.slice(0, length).join('/'));
  }
  return [...found].sort();
}

function* objectDirectories(): Generator<TarEntry> {
  for (let byte = 0; byte < 256; byte += 1) {
    yield directory(`${OBJECTS}/${byte.toString(16).padStart(2, '0')}`);
  }
}

function directory(path: string): TarEntry {
  return { path, type: 'directory', mode: 0o755 };
}

function object(checksum: string, kind: string, content: string): TarEntry {
  return fileEntry(objectPath(checksum, kind), content);
}

function objectPath(checksum: string, kind: string): string {
  return `${OBJECTS}/${checksum.slice(0, 2)}/${checksum.slice(2)}.${kind}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
