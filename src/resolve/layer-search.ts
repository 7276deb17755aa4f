import type { Cache } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { LayerEntry } from '../oci/layer-reader.ts';
import { walkLayer } from '../oci/layer-reader.ts';
import type { Repository } from '../registry/repository.ts';

/** Where layers come from, what is known of them, and when to give up. */
export interface LayerSource {
  readonly repository: Repository;
  readonly cache: Cache;
  readonly signal: AbortSignal;
}

/** What a search brought, and whether it read the layer to its end: only then were the bytes checked. */
export interface Found<T> {
  readonly value: T;
  readonly isWhole: boolean;
}

/** Layers up to this size are read to their end, which costs little and checks their digest: 1 MiB. */
export const SMALL_LAYER_BYTES = 1024 ** 2;

/**
 * Reads one file of a layer; undefined when the layer does not have it. A large layer is left as soon as the file came.
 *
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} when the layer cannot be read.
 */
export async function readLayerFile(
  { repository, signal }: LayerSource,
  layer: Descriptor,
  path: string,
): Promise<Found<Buffer | undefined>> {
  const isSmall = layer.sizeBytes <= SMALL_LAYER_BYTES;
  const { files } = await readLayerFiles(() => repository.readBlob(layer, { signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (candidate) => candidate === path,
    isDone: (found) => !isSmall && found.has(path),
  });
  return { value: files.get(path), isWhole: isSmall || !files.has(path) };
}

/** Looks through the names in a layer until one gives a value. No content is kept. */
export async function findInLayer<T>(
  { repository, signal }: LayerSource,
  layer: Descriptor,
  find: (entry: LayerEntry) => T | undefined,
): Promise<Found<T | undefined>> {
  let value: T | undefined;
  await walkLayer(repository.readBlob(layer, { signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: () => false,
    onEntry: (entry) => {
      value ??= find(entry);
    },
    onContent: () => undefined,
    isDone: () => value !== undefined,
  });
  return { value, isWhole: value === undefined };
}

/**
 * What a layer says, from the cache or by reading it once. Layers never change, so what was learnt of one holds for
 * good; what came from a layer that was not read to its end is not kept, since nothing has checked it.
 *
 * @param topic Says what is learnt, with a version: `module-directory-v1`.
 */
export async function learn(
  { cache }: LayerSource,
  { topic, layer }: { readonly topic: string; readonly layer: Descriptor },
  read: () => Promise<Found<string>>,
): Promise<string> {
  const key = `${topic}-${hexOf(layer.digest)}`;
  const known = await cache.get(key);
  if (known !== undefined) return Buffer.from(known).toString('utf8');
  const { value, isWhole } = await read();
  if (isWhole) await cache.put(key, Buffer.from(value));
  return value;
}
