import { join } from 'node:path';
import { CompileError } from '../errors.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { DriverSet, FileSource, SourceTree } from '../spec/driver-set.ts';
import { pathFrom } from '../spec/paths.ts';
import { withoutCredentials, withoutQuery } from '../without-credentials.ts';
import type { CompileIo, CompileRequest } from './compile.ts';

/** What a driver's modules were made from; goes into labels, so nothing in it is secret. */
export type CompiledSource =
  | { readonly type: 'directory'; readonly digest: Digest }
  | {
      readonly type: 'git';
      readonly url: string;
      readonly ref: string;
      readonly commit: string;
      readonly digest: Digest;
    }
  /** `digest` is the checksum of the archive. */
  | { readonly type: 'archive'; readonly url?: string; readonly digest: Digest }
  | { readonly type: 'srpm'; readonly url?: string; readonly digest: Digest }
  | { readonly type: 'rpm'; readonly package: string; readonly url?: string; readonly digest: Digest }
  | { readonly type: 'image'; readonly image: string; readonly digest: Digest }
  | { readonly type: 'dkms'; readonly tree: CompiledSource; readonly digest: Digest }
  | { readonly type: 'module'; readonly digest: Digest }
  | { readonly type: 'files'; readonly digest: Digest };

/** A tree of source files on this machine. */
export interface FetchedTree {
  /** Undefined for a source that has none: its Containerfile gets everything by itself. */
  readonly context: string | undefined;
  readonly source: CompiledSource;
}

/**
 * Gets the source tree of a driver: where it is already, or below `directory`.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`, `CHECKSUM_MISMATCH`, `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`.
 */
export async function fetchSource(
  request: Pick<CompileRequest, 'driver' | 'set' | 'commit'>,
  directory: string,
  io: Pick<CompileIo, 'sources' | 'files' | 'signal'>,
): Promise<FetchedTree> {
  const { source } = request.driver;
  switch (source.type) {
    case 'directory':
    case 'git':
    case 'archive':
      return fetchTree(source, request, directory, io);
    case 'dkms': {
      const tree = await fetchTree(source.tree, request, directory, io);
      return { ...tree, source: { type: 'dkms', tree: tree.source, digest: tree.source.digest } };
    }
    case 'srpm': {
      const { set } = request;
      const context = join(directory, 'source');
      const file = await io.sources.fetchFile(checkedFile(source.file, set), io.signal);
      await io.sources.unpackSrpm({ file, name: nameOf(source.file), to: context });
      return {
        context,
        source: { type: 'srpm', ...placeOf(source.file), digest: source.file.sha256 },
      };
    }
    case 'module': {
      const bytes = await readSpecFile(pathFrom(request.set.file, source.path), io);
      return { context: undefined, source: { type: 'module', digest: digestOf(bytes) } };
    }
    case 'files':
    case 'rpm':
    case 'image':
      throw new TypeError(`No directory for a source of type ${source.type}`);
  }
}

async function fetchTree(
  tree: SourceTree,
  { set, commit }: Pick<CompileRequest, 'set' | 'commit'>,
  directory: string,
  { sources, signal }: Pick<CompileIo, 'sources' | 'signal'>,
): Promise<FetchedTree> {
  const to = join(directory, 'source');
  switch (tree.type) {
    case 'directory': {
      const context = pathFrom(set.file, tree.path);
      return {
        context,
        source: { type: 'directory', digest: await sources.digestDirectory(context, signal) },
      };
    }
    case 'git': {
      const pinned = commit ?? (await sources.resolveGit(tree, signal));
      await sources.checkOutGit(tree, pinned, to, signal);
      const digest = await sources.digestDirectory(to, signal);
      const { ref } = tree;
      return {
        context: to,
        source: { type: 'git', url: withoutCredentials(tree.url), ref, commit: pinned, digest },
      };
    }
    case 'archive': {
      const file = await sources.fetchFile(checkedFile(tree.file, set), signal);
      await sources.unpackArchive({ file, name: nameOf(tree.file), to, directory: tree.directory, signal });
      return { context: to, source: { type: 'archive', ...placeOf(tree.file), digest: tree.file.sha256 } };
    }
  }
}

/** A file of a spec, its path as the command that runs can open it. */
export function checkedFile(file: FileSource, set: Pick<DriverSet, 'file'>): FileSource {
  const { location } = file;
  if (location.type === 'url') return file;
  return { ...file, location: { type: 'file', path: pathFrom(set.file, location.path) } };
}

/** A file as messages name it. */
export function nameOf({ location }: FileSource): string {
  return location.type === 'url' ? withoutQuery(location.url) : location.path;
}

/** Where it can be had by others; paths of this machine are nobody's business. */
export function placeOf({ location }: FileSource): { readonly url?: string } {
  return location.type === 'url' ? { url: withoutQuery(location.url) } : {};
}

/**
 * A file that the spec names.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function readSpecFile(path: string, { files }: Pick<CompileIo, 'files'>): Promise<Uint8Array> {
  try {
    return await files.read(path);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read ${path}`, {
      cause: error,
      hint: 'Check its path; relative paths start at the spec.',
    });
  }
}
