import { OciError } from '../errors.ts';
import { type LayerEntry, MAX_FILE_BYTES, walkLayer } from './layer-reader.ts';

export interface ReadFilesOptions {
  readonly maxBytes: number;
  readonly isPrefix?: boolean;
  /** Says which files are wanted, by plain path. */
  readonly wants: (path: string) => boolean;
  /** Asked after each file that was found: true ends the walk. */
  readonly isDone?: (found: ReadonlyMap<string, Buffer>) => boolean;
  readonly onEntry?: (entry: LayerEntry) => void;
}

export interface LayerFiles {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Paths that this layer removes from the layers below. */
  readonly whiteouts: readonly string[];
  /** Directories whose older content this layer hides (`.wh..wh..opq`). */
  readonly opaque: readonly string[];
}

const OBJECTS = 'sysroot/ostree/repo/objects/';
/** Objects whose names may still follow are remembered up to this much in all. */
const MEMORY_BYTES = 24 * 1024 ** 2;

/**
 * Reads files out of a layer in one pass. In an ostree-encapsulated layer the content stands under its checksum and
 * the real path comes after it, as a hard link of size 0: those are followed.
 *
 * @param open Streams the layer; called a second time only when a link comes long after its object.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`.
 * @see ostree-ext, `tar/export.rs`
 */
export async function readLayerFiles(
  open: () => AsyncIterable<Uint8Array>,
  options: ReadFilesOptions,
): Promise<LayerFiles> {
  const files = new Map<string, Buffer>();
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  const memory = new ObjectMemory();
  const missing = new Map<string, string>();

  await walkLayer(open(), {
    maxBytes: options.maxBytes,
    ...(options.isPrefix === undefined ? {} : { isPrefix: options.isPrefix }),
    wants: ({ path, sizeBytes }) =>
      path.startsWith(OBJECTS) ? path.endsWith('.file') && sizeBytes <= MEMORY_BYTES : options.wants(path),
    onEntry: (entry) => {
      options.onEntry?.(entry);
      noteWhiteout(entry.path, whiteouts, opaque);
      if (entry.type !== 'hardlink' || entry.linkPath === undefined || !options.wants(entry.path)) return;
      const bytes = memory.get(entry.linkPath) ?? files.get(entry.linkPath);
      if (bytes === undefined) missing.set(entry.path, entry.linkPath);
      else files.set(entry.path, bytes);
    },
    onContent: ({ path }, bytes) => {
      if (path.startsWith(OBJECTS)) memory.put(path, bytes);
      else files.set(path, bytes);
    },
    isDone: () => options.isDone?.(files) === true,
  });
  if (missing.size > 0) await followLinks(open, options.maxBytes, missing, files);
  return { files, whiteouts, opaque };
}

async function followLinks(
  open: () => AsyncIterable<Uint8Array>,
  maxBytes: number,
  missing: ReadonlyMap<string, string>,
  files: Map<string, Buffer>,
): Promise<void> {
  const wanted = new Set(missing.values());
  const found = new Map<string, Buffer>();
  await walkLayer(open(), {
    maxBytes,
    wants: ({ path }) => wanted.has(path),
    onContent: ({ path }, bytes) => found.set(path, bytes),
    isDone: () => found.size === wanted.size,
  });
  for (const [path, target] of missing) {
    const bytes = found.get(target);
    if (bytes === undefined) {
      throw new OciError(
        'LAYER_INVALID',
        `Cannot read ${path}: it links to ${target}, which is not in its layer`,
      );
    }
    files.set(path, bytes);
  }
}

function noteWhiteout(path: string, whiteouts: string[], opaque: string[]): void {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (!name.startsWith('.wh.')) return;
  const directory = slash < 0 ? '' : path.slice(0, slash + 1);
  if (name === '.wh..wh..opq') opaque.push(directory.replace(/\/$/, ''));
  else whiteouts.push(directory + name.slice('.wh.'.length));
}

/** The most recent objects, up to a budget. */
class ObjectMemory {
  readonly #objects = new Map<string, Buffer>();
  #bytes = 0;

  get(path: string): Buffer | undefined {
    return this.#objects.get(path);
  }

  put(path: string, bytes: Buffer): void {
    this.#objects.set(path, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#objects) {
      if (this.#bytes <= MEMORY_BYTES || oldest === path) break;
      this.#objects.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}

/** Most bytes that a layer of a given compressed size may unpack to; real ones stay far below. */
export function unpackLimit(compressedBytes: number): number {
  return Math.max(4 * MAX_FILE_BYTES, compressedBytes * 50);
}
