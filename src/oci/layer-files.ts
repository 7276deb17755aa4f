import { OciError } from '../errors.ts';
import { type LayerEntry, MAX_FILE_BYTES, walkLayer } from './layer-reader.ts';

export interface ReadFilesOptions {
  readonly maxBytes: number;
  readonly isPrefix?: boolean;
  /** Most bytes of wanted files in all; 128 MiB when absent. */
  readonly maxFilesBytes?: number;
  /** Says which files are wanted, by plain path. */
  readonly wants: (path: string) => boolean;
  /** Asked after each file that was found: true ends the walk. */
  readonly isDone?: (found: ReadonlyMap<string, Buffer>) => boolean;
  readonly onEntry?: (entry: LayerEntry) => void;
  readonly onBadName?: (name: string, why: string) => void;
  readonly onTarBytes?: (bytes: Buffer) => void;
  readonly onCut?: () => void;
  /** Gets wanted files that link to what their layer does not have; without it they are an error. */
  readonly onDeadLink?: (path: string, target: string) => void;
}

export interface LayerFiles {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Paths that this layer removes from the layers below. */
  readonly whiteouts: readonly string[];
  /** Directories whose older content this layer hides (`.wh..wh..opq`); empty for the root. */
  readonly opaque: readonly string[];
}

const OBJECTS = 'sysroot/ostree/repo/objects/';

/** Larger objects are not kept in case that a wanted name follows: an initramfs has 80 MB, an index 2 MB. */
const MAX_OBJECT_BYTES = 8 * 1024 ** 2;

const MAX_FILES_BYTES = 128 * 1024 ** 2;

/** All names of a layer's whiteouts; real layers have some hundred. */
const MAX_WHITEOUT_LENGTH = 16 * 1024 ** 2;

/** Passes over a layer whose links come long after what they link to, or link to links. */
const MAX_PASSES = 4;

/**
 * Reads files out of a layer. In an ostree-encapsulated layer the content stands under its checksum and the real path
 * comes right after it, as a hard link of size 0: those are followed. Where a path comes twice, the last entry counts.
 * A symlink to `/dev/null` is an empty file, as in configuration directories; other symlinks are no files.
 *
 * @param open Streams the layer; called again only when a link comes long after what it links to.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`.
 * @see ostree-ext, `tar/export.rs`
 */
export async function readLayerFiles(
  open: () => AsyncIterable<Uint8Array>,
  options: ReadFilesOptions,
): Promise<LayerFiles> {
  const found = new FoundFiles(options.maxFilesBytes ?? MAX_FILES_BYTES);
  const whiteouts = new Whiteouts();
  /** Links of wanted paths to what has gone by. */
  const pending = new Map<string, string>();
  let lastObject: { readonly path: string; readonly bytes: Buffer } | undefined;

  await walkLayer(open(), {
    ...options,
    wants: ({ path, sizeBytes }) =>
      path.startsWith(OBJECTS) ? sizeBytes <= MAX_OBJECT_BYTES : options.wants(path),
    onEntry: (entry) => {
      options.onEntry?.(entry);
      whiteouts.note(entry.path);
      const { path, linkPath } = entry;
      if (path.startsWith(OBJECTS)) {
        if (isMask(entry)) lastObject = { path, bytes: Buffer.alloc(0) };
        return;
      }
      if (!options.wants(path)) return;
      pending.delete(path);
      found.delete(path);
      if (isMask(entry)) found.set(path, Buffer.alloc(0));
      if (entry.type !== 'hardlink' || linkPath === undefined) return;
      const bytes = lastObject?.path === linkPath ? lastObject.bytes : found.files.get(linkPath);
      if (bytes === undefined) pending.set(path, linkPath);
      else found.set(path, bytes);
    },
    onContent: ({ path }, bytes) => {
      if (path.startsWith(OBJECTS)) lastObject = { path, bytes };
      else found.set(path, bytes);
    },
    isDone: () => options.isDone?.(found.files) === true,
  });
  for (let pass = 1; pending.size > 0 && pass < MAX_PASSES; pass++) {
    await followLinks(open, options, { pending, found });
  }
  for (const [path, target] of pending) deadLink(path, target, options);
  return { files: found.files, whiteouts: whiteouts.removed, opaque: whiteouts.opaque };
}

/** Reads the layer again for what pending links link to. A link to a link is left pending, one step further on. */
async function followLinks(
  open: () => AsyncIterable<Uint8Array>,
  options: ReadFilesOptions,
  { pending, found }: { readonly pending: Map<string, string>; readonly found: FoundFiles },
): Promise<void> {
  const { maxBytes, isPrefix = false } = options;
  const pathsOf = new Map<string, string[]>();
  for (const [path, target] of pending) pathsOf.set(target, [...(pathsOf.get(target) ?? []), path]);
  const seen = new Set<string>();
  await walkLayer(open(), {
    maxBytes,
    isPrefix,
    ...(options.onBadName === undefined ? {} : { onBadName: () => undefined }),
    wants: ({ path }) => pathsOf.has(path),
    onEntry: (entry) => {
      const paths = pathsOf.get(entry.path) ?? [];
      if (paths.length > 0) seen.add(entry.path);
      for (const path of paths) {
        found.delete(path);
        pending.delete(path);
        if (isMask(entry)) found.set(path, Buffer.alloc(0));
        if (entry.type === 'hardlink' && entry.linkPath !== undefined) pending.set(path, entry.linkPath);
      }
    },
    onContent: (entry, bytes) => {
      for (const path of pathsOf.get(entry.path) ?? []) found.set(path, bytes);
    },
  });
  for (const [target, paths] of pathsOf) {
    if (seen.has(target)) continue;
    for (const path of paths) {
      // Of a layer that was not read whole, the target may stand in the rest.
      if (!isPrefix) deadLink(path, target, options);
      pending.delete(path);
    }
  }
}

function isMask({ type, linkPath }: LayerEntry): boolean {
  return type === 'symlink' && linkPath === '/dev/null';
}

function deadLink(path: string, target: string, { onDeadLink }: ReadFilesOptions): void {
  if (onDeadLink !== undefined) {
    onDeadLink(path, target);
    return;
  }
  throw new OciError(
    'LAYER_INVALID',
    `Cannot read ${JSON.stringify(path)}: it links to ${JSON.stringify(target)}, which is not a file of its layer`,
  );
}

/** Wanted files, up to a limit on their bytes. */
class FoundFiles {
  readonly files = new Map<string, Buffer>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  set(path: string, bytes: Buffer): void {
    this.delete(path);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) {
      throw new OciError(
        'LIMIT_EXCEEDED',
        `Cannot read a layer whose wanted files have more than ${this.#maxBytes} bytes`,
      );
    }
    // A copy: the view would keep the whole piece of the stream that it is a part of.
    this.files.set(path, Buffer.from(bytes));
  }

  delete(path: string): void {
    this.#bytes -= this.files.get(path)?.length ?? 0;
    this.files.delete(path);
  }
}

/** What a layer hides below it, up to a limit on its names. */
class Whiteouts {
  readonly removed: string[] = [];
  readonly opaque: string[] = [];
  #length = 0;

  note(path: string): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (!name.startsWith('.wh.')) return;
    this.#length += path.length;
    if (this.#length > MAX_WHITEOUT_LENGTH)
      throw new OciError('LIMIT_EXCEEDED', 'Cannot read a layer with megabytes of whiteouts');
    if (name === '.wh..wh..opq') this.opaque.push(path.slice(0, Math.max(slash, 0)));
    else this.removed.push(path.slice(0, slash + 1) + name.slice('.wh.'.length));
  }
}

/** Most bytes that a layer of a given compressed size may unpack to; real ones stay far below. */
export function unpackLimit(compressedBytes: number): number {
  return Math.max(4 * MAX_FILE_BYTES, compressedBytes * 50);
}
