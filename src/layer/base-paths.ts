import { OciError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { unpackLimit } from '../oci/layer-files.ts';
import { walkLayer } from '../oci/layer-reader.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import { readCommitPaths } from './commit-tree.ts';
import { hides } from './layer-facts.ts';
import { finalLayer } from './layer-order.ts';
import {
  findLayerPaths,
  keepLayerPaths,
  type KnownPath,
  type LayerPaths,
  PathCollector,
} from './layer-paths.ts';

/** What stands where in a base. */
export interface BasePaths {
  /** `unknown` where only layers that were not read could tell. */
  find(path: string): KnownPath | 'absent' | 'unknown';
  /** Layers whose content is not known. */
  readonly unread: readonly Descriptor[];
}

export interface BasePathsOptions {
  /** Reads every layer that is not known yet, once; without it only the commit's own directories, which are small. */
  readonly isWhole: boolean;
}

/** Objects of all directories of an OS have some 5 MB. */
const MAX_OBJECTS_BYTES = 128 * 1024 ** 2;

const OBJECT = /^sysroot\/ostree\/repo\/objects\/([0-9a-f]{2})\/([0-9a-f]{62}\.(?:commit|dirtree))$/;

/**
 * Learns which paths a base has: from what was kept of its layers, and from the directories of its encapsulated commit,
 * which its first layer holds.
 *
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} when a layer cannot be read.
 */
export async function readBasePaths(
  image: OpenedImage,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
  { isWhole }: BasePathsOptions,
): Promise<BasePaths> {
  const { layers } = image.manifest;
  const known = await Promise.all(layers.map((layer) => findLayerPaths(layer, io.cache)));
  const final = finalLayer(image);
  const isMissing = (at: number): boolean => known[at] === undefined;
  const commit = layers.some((_, at) => at <= final && isMissing(at))
    ? await readCommit(image, io)
    : undefined;
  if (commit !== undefined) known.fill(commit, 0, final + 1);
  const missing = layers.flatMap((layer, at) => (isMissing(at) ? [{ at, layer }] : []));
  if (isWhole && missing.length > 0) {
    const sizeBytes = missing.reduce((sum, { layer }) => sum + layer.sizeBytes, 0);
    io.report({ type: 'transfer-planned', what: 'layers of the base', blobs: missing.length, sizeBytes });
    for (const { at, layer } of missing) known[at] = await readLayer(image, layer, io);
  }
  return {
    find: (path) => findPath(known, path),
    unread: layers.filter((_, at) => isMissing(at)),
  };
}

function findPath(
  known: readonly (LayerPaths | undefined)[],
  path: string,
): KnownPath | 'absent' | 'unknown' {
  let isUnsure = false;
  for (let at = known.length - 1; at >= 0; at--) {
    const layer = known[at];
    if (layer === undefined) {
      isUnsure = true;
      continue;
    }
    const found = layer.paths.get(path);
    if (found !== undefined) return found;
    if (hides(layer, path)) break;
  }
  return isUnsure ? 'unknown' : 'absent';
}

/**
 * All paths of the commit that an OS image encapsulates, from its first layer. Undefined for an image without a commit,
 * and for one whose directories cannot be made sense of.
 *
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} when the layer cannot be read.
 */
export async function readCommit(
  image: OpenedImage,
  io: Pick<Io, 'cache' | 'signal'>,
): Promise<LayerPaths | undefined> {
  const [layer] = image.manifest.layers;
  const commit = image.config.labels['ostree.commit'];
  if (layer === undefined || commit === undefined) return undefined;
  const known = await findLayerPaths(layer, io.cache, 'commit');
  if (known !== undefined) return known;
  const objects = new Map<string, Uint8Array>();
  let sizeBytes = 0;
  await walkLayer(image.repository.readBlob(layer, { signal: io.signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: ({ path }) => OBJECT.test(path),
    onContent: ({ path }, bytes) => {
      sizeBytes += bytes.length;
      if (sizeBytes > MAX_OBJECTS_BYTES)
        throw new OciError(
          'LIMIT_EXCEEDED',
          `Cannot read the commit of ${image.manifest.digest}: it is too large`,
        );
      const [, start = '', rest = ''] = OBJECT.exec(path) ?? [];
      objects.set(start + rest, Buffer.from(bytes));
    },
  });
  const paths = readCommitPaths(objects, commit);
  if (paths === undefined) return undefined;
  const all = { paths, whiteouts: [], opaque: [] };
  await keepLayerPaths(layer, all, io.cache, 'commit');
  return all;
}

async function readLayer(
  { repository }: OpenedImage,
  layer: Descriptor,
  { cache, signal }: Pick<Io, 'cache' | 'signal'>,
): Promise<LayerPaths> {
  const collector = new PathCollector();
  await walkLayer(repository.readBlob(layer, { signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: () => false,
    onEntry: (entry) => {
      collector.add(entry);
    },
    onContent: () => undefined,
  });
  const paths = collector.toPaths();
  await keepLayerPaths(layer, paths, cache);
  return paths;
}
