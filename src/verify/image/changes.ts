import type { Io } from '../../io.ts';
import { type BasePaths, readBasePaths } from '../../layer/base-paths.ts';
import { findLayerFacts, hides } from '../../layer/layer-facts.ts';
import type { KnownPath } from '../../layer/layer-paths.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { EntryType } from '../../oci/layer-reader.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import { MODULE_FILE, readAddedLayers } from './added-layer.ts';
import { type AddedTree, makeAddedTree } from './added-tree.ts';
import { baseOf, type Boundary } from './boundary.ts';
import { kernelPathOf, modulesOfIndex } from './kernel-paths.ts';

/** What layers do to one path of their base. */
export interface PathChange {
  readonly path: string;
  /** `unknown`: added or replaced; only layers of the base that were not read could tell. */
  readonly change: 'added' | 'replaced' | 'removed' | 'unknown';
  /** What stands there now; undefined for what was removed. */
  readonly type: EntryType | undefined;
  /** Bytes of a file; 0 for all else. */
  readonly sizeBytes: number;
  /** Bytes of the base's file; undefined where they are not known. */
  readonly previousBytes: number | undefined;
  /** Where a link leads. */
  readonly target: string | undefined;
  /** Everything that the base has in this directory was removed. */
  readonly isWholeDirectory: boolean;
  /** The layer that it stands in, or that removes it. */
  readonly layer: Digest;
}

/** What an image has on top of its base. */
export interface ImageChanges {
  readonly boundary: Boundary;
  readonly tree: AddedTree;
  /** By path. */
  readonly changes: readonly PathChange[];
  /** Layers of the base that would have to be read to know more; none when nothing is `unknown`. */
  readonly unread: readonly Descriptor[];
}

export interface ReadChangesOptions {
  /** Reads the layers of the base that are not known yet, each once. */
  readonly isBaseRead: boolean;
}

/**
 * Reads what the layers on top of a base add to it, replace and remove.
 *
 * @throws {OciError} and {RegistryError} when a layer cannot be read.
 */
export async function readChanges(
  image: OpenedImage,
  boundary: Boundary,
  { isBaseRead }: ReadChangesOptions,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<ImageChanges> {
  const tree = makeAddedTree(await readAddedLayers(image, boundary.baseLayers, io));
  const base = baseOf(image, boundary);
  const paths = await readBasePaths(base, io, { isWhole: isBaseRead });
  const indexed = await indexedModules(base, io);
  const changes = listChanges(tree, (path) => {
    const known = paths.find(path);
    return known === 'unknown' ? fromIndexes(indexed, path) : known;
  });
  const isUnsure = changes.some(({ change }) => change === 'unknown');
  return { boundary, tree, changes, unread: isUnsure ? paths.unread : [] };
}

/** The changes of a tree, by path. Directories count only where they are new and empty. */
export function listChanges(tree: AddedTree, findInBase: BasePaths['find']): readonly PathChange[] {
  const parents = new Set<string>();
  for (const path of tree.entries.keys())
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
      parents.add(path.slice(0, at));
  const changes: PathChange[] = [];
  for (const [path, { entry, layer }] of tree.entries) {
    const before = findInBase(path);
    if (entry.type === 'directory' && (parents.has(path) || before !== 'absent')) continue;
    changes.push({
      path,
      change: before === 'absent' ? 'added' : before === 'unknown' ? 'unknown' : 'replaced',
      type: entry.type,
      sizeBytes: entry.type === 'file' ? entry.sizeBytes : 0,
      previousBytes: sizeOf(before),
      target: entry.linkPath,
      isWholeDirectory: false,
      layer: layer.descriptor.digest,
    });
  }
  for (const { path, isOpaque, layer } of tree.removed) {
    const before = findInBase(path);
    // A mark for what an added layer brought, or for what is not there, changes nothing of the base.
    if (before === 'absent' || (!isOpaque && tree.entries.has(path))) continue;
    changes.push({
      path,
      change: 'removed',
      type: undefined,
      sizeBytes: 0,
      previousBytes: isOpaque ? undefined : sizeOf(before),
      target: undefined,
      isWholeDirectory: isOpaque,
      layer: layer.descriptor.digest,
    });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function sizeOf(known: KnownPath | 'absent' | 'unknown'): number | undefined {
  return typeof known === 'string' ? undefined : known.sizeBytes;
}

/** Modules of the base by kernel, as far as its indexes were read before. */
async function indexedModules(
  { manifest }: OpenedImage,
  { cache }: Pick<Io, 'cache'>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, ReadonlySet<string>>();
  const newer: { whiteouts: readonly string[]; opaque: readonly string[] }[] = [];
  for (const layer of manifest.layers.toReversed()) {
    const facts = await findLayerFacts(layer, cache);
    if (facts === undefined) continue;
    for (const [path, bytes] of facts.files) {
      const place = kernelPathOf(path);
      if (place?.path !== 'modules.dep' || found.has(place.kernel)) continue;
      if (!newer.some((one) => hides(one, path))) found.set(place.kernel, new Set(modulesOfIndex(bytes)));
    }
    newer.push(facts);
  }
  return found;
}

/** Every module of a kernel is in its index: that tells where its layers were not read. */
function fromIndexes(
  indexed: ReadonlyMap<string, ReadonlySet<string>>,
  path: string,
): KnownPath | 'absent' | 'unknown' {
  const place = MODULE_FILE.test(path) ? kernelPathOf(path) : undefined;
  const modules = place === undefined ? undefined : indexed.get(place.kernel);
  if (place === undefined || modules === undefined) return 'unknown';
  return modules.has(place.path) ? { kind: 'file', sizeBytes: undefined } : 'absent';
}
