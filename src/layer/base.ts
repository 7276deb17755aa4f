import { LayerError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Digest } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { type LayerFacts, readLayerFacts } from './layer-facts.ts';
import { indexLayerOrder, moduleLayerOrder } from './layer-order.ts';

/** What a base says about its modules, read from as few of its layers as can be. */
export interface Base {
  /** Index files of the kernel by name, for instance `modules.dep.bin`. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Configuration of depmod that was seen, by path. */
  readonly depmodConfig: ReadonlyMap<string, Uint8Array>;
  /** Layer that `modules.dep` came from. */
  readonly indexLayer: Digest;
  /** Layers that were looked into. */
  readonly layersRead: readonly Digest[];
}

/** Without these, indexes cannot be merged. */
const REQUIRED = ['modules.dep', 'modules.alias', 'modules.symbols'].flatMap((name) => [name, `${name}.bin`]);

/**
 * Reads the module indexes of a base image.
 *
 * @throws {LayerError} `INDEX_NOT_FOUND` when no layer has the indexes of this kernel.
 */
export async function readBase(
  image: OpenedImage,
  kernel: KernelRelease,
  io: Pick<Io, 'cache' | 'report'>,
): Promise<Base> {
  const directory = `usr/lib/modules/${kernel}/`;
  const seen: LayerFacts[] = [];
  const found = new Map<string, Uint8Array>();
  const layersRead: Digest[] = [];
  let indexLayer: Digest | undefined;

  for (const at of indexLayerOrder(image)) {
    const layer = image.manifest.layers[at];
    if (layer === undefined) continue;
    const facts = await readLayerFacts(image.repository, layer, io.cache);
    layersRead.push(layer.digest);
    for (const [path, bytes] of facts.files) {
      if (found.has(path) || seen.some((newer) => hides(newer, path))) continue;
      found.set(path, bytes);
      if (path === `${directory}modules.dep`) indexLayer = layer.digest;
    }
    seen.push(facts);
    if (indexLayer !== undefined && REQUIRED.every((name) => found.has(directory + name))) {
      return { ...sort(found, directory), indexLayer, layersRead };
    }
  }
  throw new LayerError(
    'INDEX_NOT_FOUND',
    `Cannot find the module indexes of kernel ${kernel} in ${image.manifest.digest}`,
    {
      hint: `No layer has ${REQUIRED.filter((name) => !found.has(directory + name)).join(', ')} in /${directory}.`,
    },
  );
}

/**
 * Reads modules out of a base image: only asked for when an addition makes the order of the indexes depend on them.
 *
 * @param paths Below the kernel's module directory, for instance `kernel/net/8021q/8021q.ko.xz`.
 * @returns Bytes as they are in the image, that is compressed.
 * @throws {LayerError} `INDEX_NOT_FOUND` when one is not there.
 */
export async function readBaseModules(
  image: OpenedImage,
  kernel: KernelRelease,
  paths: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const prefix = `usr/lib/modules/${kernel}/`;
  const wanted = new Set(paths.map((path) => prefix + path));
  const found = new Map<string, Uint8Array>();
  for (const at of moduleLayerOrder(image)) {
    const layer = image.manifest.layers[at];
    if (layer === undefined) continue;
    const { files } = await readLayerFiles(() => image.repository.readBlob(layer), {
      maxBytes: unpackLimit(layer.sizeBytes),
      wants: (path) => wanted.has(path),
      isDone: (files) => files.size + found.size >= wanted.size,
    });
    for (const [path, bytes] of files)
      found.set(path.slice(prefix.length), found.get(path.slice(prefix.length)) ?? bytes);
    if (found.size === wanted.size) return found;
  }
  throw new LayerError(
    'INDEX_NOT_FOUND',
    `Cannot find ${paths.filter((path) => !found.has(path)).join(', ')} in ${image.manifest.digest}`,
    { hint: 'The indexes of the base name modules that none of its layers has.' },
  );
}

function hides(newer: LayerFacts, path: string): boolean {
  return (
    newer.whiteouts.some((hidden) => path === hidden || path.startsWith(`${hidden}/`)) ||
    newer.opaque.some((directory) => path.startsWith(`${directory}/`))
  );
}

function sort(
  found: ReadonlyMap<string, Uint8Array>,
  directory: string,
): Pick<Base, 'indexes' | 'depmodConfig'> {
  const indexes = new Map<string, Uint8Array>();
  const depmodConfig = new Map<string, Uint8Array>();
  for (const [path, bytes] of found) {
    if (path.startsWith(directory)) indexes.set(path.slice(directory.length), bytes);
    else if (path.endsWith('.conf')) depmodConfig.set(path, bytes);
  }
  if (!indexes.has('modules.order')) indexes.set('modules.order', orderFrom(indexes.get('modules.dep')));
  return { indexes, depmodConfig };
}

/**
 * `modules.order` of a kernel lies with its modules, in a layer that is not read. All that depmod takes from it is which
 * modules come before the rest, and in which order; `modules.dep` has them in that order, and they are those that the
 * kernel was built with: the ones under `kernel/`.
 */
function orderFrom(dep: Uint8Array | undefined): Buffer {
  const lines = Buffer.from(dep ?? [])
    .toString('latin1')
    .split('\n');
  const paths = lines
    .filter((line) => line.startsWith('kernel/'))
    .map((line) => line.slice(0, line.indexOf(':')));
  return Buffer.from(paths.map((path) => `${path.replace(/\.(?:gz|xz|zst)$/, '')}\n`).join(''), 'latin1');
}
