import { hides } from '../../layer/layer-facts.ts';
import type { LayerEntry } from '../../oci/layer-reader.ts';
import { type AddedLayer, isWhiteout } from './added-layer.ts';

/** One path of an image that layers on top of its base decide on. */
export interface AddedEntry {
  readonly entry: LayerEntry;
  readonly layer: AddedLayer;
}

/** What all layers on top of a base come to, as a container engine would show it. */
export interface AddedTree {
  readonly layers: readonly AddedLayer[];
  /** By path; of layers that hide each other the newest counts. */
  readonly entries: ReadonlyMap<string, AddedEntry>;
  /** Content of the files among them that was read. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Says whether one of the layers takes a path of the base away. */
  readonly removes: (path: string) => boolean;
  /** Paths that the layers take away, with the layer that does. */
  readonly removed: readonly {
    readonly path: string;
    readonly isOpaque: boolean;
    readonly layer: AddedLayer;
  }[];
}

/** Lays layers over each other, lowest first. */
export function makeAddedTree(layers: readonly AddedLayer[]): AddedTree {
  const entries = new Map<string, AddedEntry>();
  const files = new Map<string, Uint8Array>();
  const forget = (isHidden: (path: string) => boolean): void => {
    for (const path of [...entries.keys()].filter(isHidden)) {
      entries.delete(path);
      files.delete(path);
    }
  };
  for (const layer of layers) {
    if (layer.whiteouts.length > 0 || layer.opaque.length > 0) forget((path) => hides(layer, path));
    const replaced = layer.entries.filter(
      ({ path, type }) => type !== 'directory' && entries.get(path)?.entry.type === 'directory',
    );
    if (replaced.length > 0) forget((path) => replaced.some((entry) => path.startsWith(`${entry.path}/`)));
    for (const entry of layer.entries) {
      if (isWhiteout(entry.path) || entry.path === '') continue;
      entries.set(entry.path, { entry, layer });
      files.delete(entry.path);
    }
    for (const [path, bytes] of layer.files) files.set(path, bytes);
  }
  return {
    layers,
    entries,
    files,
    removes: (path) => layers.some((layer) => hides(layer, path)),
    removed: layers.flatMap((layer) => [
      ...layer.whiteouts.map((path) => ({ path, isOpaque: false, layer })),
      ...layer.opaque.map((path) => ({ path, isOpaque: true, layer })),
    ]),
  };
}
