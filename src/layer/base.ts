import { LayerError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { findLayerFacts, hides, type LayerFacts, readLayerFacts } from './layer-facts.ts';
import { finalLayer, indexLayerOrder, moduleLayerOrder } from './layer-order.ts';

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
 * What every depmod writes, old ones too: while one of these was not seen, older layers are looked into. A layer that
 * was added to the base, such as ours, holds only those that it changed; a chunk holds all that there are.
 */
const COMPLETE = [...REQUIRED, 'modules.softdep', 'modules.devname'];

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
  const has = (names: readonly string[]): boolean => names.every((name) => found.has(directory + name));
  const seen: LayerFacts[] = [];
  const found = new Map<string, Uint8Array>();
  const layersRead: Digest[] = [];
  let indexLayer: Digest | undefined;

  for (const { at, layer } of layersAt(image, indexLayerOrder(image))) {
    const facts = await readLayerFacts(image.repository, layer, io.cache);
    layersRead.push(layer.digest);
    for (const [path, bytes] of facts.files) {
      if (found.has(path) || seen.some((newer) => hides(newer, path))) continue;
      found.set(path, bytes);
      if (path === `${directory}modules.dep`) indexLayer = layer.digest;
    }
    seen.push(facts);
    if (has(COMPLETE) || (has(REQUIRED) && at <= finalLayer(image))) break;
  }
  if (indexLayer === undefined || !has(REQUIRED)) {
    const missing = REQUIRED.filter((name) => !found.has(directory + name));
    throw new LayerError(
      'INDEX_NOT_FOUND',
      `Cannot find the module indexes of kernel ${kernel} in ${image.manifest.digest}`,
      { hint: `No layer has ${missing.join(', ')} in /${directory}.` },
    );
  }
  return { ...sort(found, directory), indexLayer, layersRead };
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
  { kernel, paths }: { readonly kernel: KernelRelease; readonly paths: readonly string[] },
  io: Pick<Io, 'cache'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const prefix = `usr/lib/modules/${kernel}/`;
  const found = new Map<string, Uint8Array>();
  const missing = new Set(paths);
  const keep = (path: string, bytes: Uint8Array): void => {
    found.set(path, bytes);
    missing.delete(path);
  };
  for (const path of paths) {
    const known = await io.cache.get(keyOfModule(image, prefix + path));
    if (known !== undefined) keep(path, known);
  }
  for (const { layer } of layersAt(image, moduleLayerOrder(image))) {
    if (missing.size === 0) break;
    // Layers that were looked into for the indexes are not read again for modules that they do not have.
    const facts = await findLayerFacts(layer, io.cache);
    if (facts?.modules.some((path) => missing.has(path.slice(prefix.length))) === false) continue;
    const { files } = await readLayerFiles(() => image.repository.readBlob(layer), {
      maxBytes: unpackLimit(layer.sizeBytes),
      wants: (path) => path.startsWith(prefix) && missing.has(path.slice(prefix.length)),
    });
    for (const [path, bytes] of files) {
      keep(path.slice(prefix.length), bytes);
      await io.cache.put(keyOfModule(image, path), bytes);
    }
  }
  if (missing.size === 0) return found;
  throw new LayerError(
    'INDEX_NOT_FOUND',
    `Cannot find ${[...missing].join(', ')} in ${image.manifest.digest}`,
    { hint: 'The indexes of the base name modules that none of its layers has.' },
  );
}

function layersAt(
  { manifest }: OpenedImage,
  order: readonly number[],
): readonly { readonly at: number; readonly layer: Descriptor }[] {
  return order.flatMap((at) => {
    const layer = manifest.layers[at];
    return layer === undefined ? [] : [{ at, layer }];
  });
}

/** By the layers and not by the image: a base that is looked at below what was added to it is not that image. */
function keyOfModule({ manifest }: OpenedImage, path: string): string {
  const layers = manifest.layers.map(({ digest }) => digest).join(' ');
  return `base-module-v2-${hexOf(digestOf(Buffer.from(`${layers} ${path}`)))}`;
}

function sort(
  found: ReadonlyMap<string, Uint8Array>,
  directory: string,
): Pick<Base, 'indexes' | 'depmodConfig'> {
  const indexes = new Map<string, Uint8Array>();
  const depmodConfig = new Map<string, Uint8Array>();
  for (const [path, bytes] of found) {
    if (path.startsWith(`${directory}modules.`)) indexes.set(path.slice(directory.length), bytes);
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
