import { LayerError } from '../../errors.ts';
import { type LayerEntry, walkLayer, type WalkOptions } from '../../oci/layer-reader.ts';
import type { RootNode } from './root.ts';

export interface NodeOptions {
  /** Most bytes that the layer may unpack to. */
  readonly maxBytes: number;
  /** Says which paths are wanted. */
  readonly wants: (path: string) => boolean;
  /** Gets every path that is no directory. */
  readonly onPath?: ((path: string) => void) | undefined;
}

/** Files and links of a layer that were wanted, and what it hides of older ones. */
export interface LayerNodes {
  readonly nodes: Map<string, RootNode>;
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

const OBJECTS = 'sysroot/ostree/repo/objects/';

/** The largest file that is needed is the kernel itself. */
const MAX_FILE_BYTES = 48 * 1024 ** 2;
const MAX_FILES_BYTES = 256 * 1024 ** 2;
const MAX_NAMES_LENGTH = 16 * 1024 ** 2;

/**
 * Reads files and symlinks of a layer. In an ostree-encapsulated layer content stands under its checksum, links as well
 * as files, and the real path comes right after it as a hard link. Files over 48 MiB are passed over.
 *
 * @param open Streams the layer; called again only when a link comes before, or long after, what it links to.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {LayerError} `CONTENT_INVALID`.
 * @see ostree-ext, `tar/export.rs`
 */
export async function readLayerNodes(
  open: () => AsyncIterable<Uint8Array>,
  { maxBytes, wants, onPath }: NodeOptions,
): Promise<LayerNodes> {
  const collector = new Collector(wants, onPath);
  await walkLayer(open(), { maxBytes, ...collector.callbacks() });
  if (collector.pending.size > 0) await walkLayer(open(), { maxBytes, ...collector.pendingCallbacks() });
  return collector;
}

type Callbacks = Pick<WalkOptions, 'wants' | 'onEntry' | 'onContent'>;

class Collector implements LayerNodes {
  readonly nodes = new Map<string, RootNode>();
  readonly whiteouts: string[] = [];
  readonly opaque: string[] = [];
  /** Wanted paths by what they link to. */
  readonly pending = new Map<string, string[]>();
  readonly #wants: (path: string) => boolean;
  readonly #onPath: ((path: string) => void) | undefined;
  #last: { readonly path: string; readonly node: RootNode } | undefined;
  #namesLength = 0;
  #bytes = 0;

  constructor(wants: (path: string) => boolean, onPath: ((path: string) => void) | undefined) {
    this.#wants = wants;
    this.#onPath = onPath;
  }

  callbacks(): Callbacks {
    return {
      wants: ({ path, sizeBytes }) =>
        sizeBytes <= MAX_FILE_BYTES && (path.startsWith(OBJECTS) || this.#wants(path)),
      onEntry: (entry) => {
        this.#note(entry);
      },
      onContent: ({ path }, bytes) => {
        if (path.startsWith(OBJECTS)) this.#last = { path, node: { type: 'file', bytes } };
        else this.#set(path, { type: 'file', bytes });
      },
    };
  }

  pendingCallbacks(): Callbacks {
    const setAll = (target: string, node: RootNode): void => {
      for (const path of this.pending.get(target) ?? []) this.#set(path, node);
    };
    return {
      wants: ({ path, sizeBytes }) => sizeBytes <= MAX_FILE_BYTES && this.pending.has(path),
      onEntry: ({ path, type, linkPath = '' }) => {
        if (type === 'symlink') setAll(path, { type: 'symlink', target: linkPath });
      },
      onContent: ({ path }, bytes) => {
        setAll(path, { type: 'file', bytes });
      },
    };
  }

  #note({ path, type, linkPath = '' }: LayerEntry): void {
    if (path.startsWith(OBJECTS)) {
      if (type === 'symlink') this.#last = { path, node: { type: 'symlink', target: linkPath } };
      return;
    }
    this.#noteWhiteout(path);
    if (type !== 'directory') this.#onPath?.(path);
    if (!this.#wants(path)) return;
    this.nodes.delete(path);
    if (type === 'symlink') this.#set(path, { type: 'symlink', target: linkPath });
    if (type !== 'hardlink') return;
    const node = this.#last?.path === linkPath ? this.#last.node : this.nodes.get(linkPath);
    if (node === undefined) this.pending.set(linkPath, [...(this.pending.get(linkPath) ?? []), path]);
    else this.#set(path, node);
  }

  #noteWhiteout(path: string): void {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (!name.startsWith('.wh.')) return;
    this.#namesLength += path.length;
    if (this.#namesLength > MAX_NAMES_LENGTH)
      throw new LayerError('CONTENT_INVALID', 'Cannot read a layer with megabytes of whiteouts');
    if (name === '.wh..wh..opq') this.opaque.push(path.slice(0, Math.max(slash, 0)));
    else this.whiteouts.push(path.slice(0, slash + 1) + name.slice('.wh.'.length));
  }

  #set(path: string, node: RootNode): void {
    if (node.type === 'symlink') {
      this.nodes.set(path, node);
      return;
    }
    this.#bytes += node.bytes.length;
    if (this.#bytes > MAX_FILES_BYTES)
      throw new LayerError(
        'CONTENT_INVALID',
        'Cannot read a layer whose programs have hundreds of megabytes',
      );
    // A copy: the view would keep the whole piece of the stream that it is a part of.
    this.nodes.set(path, { type: 'file', bytes: Buffer.from(node.bytes) });
  }
}
