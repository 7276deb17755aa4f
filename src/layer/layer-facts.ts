import { LayerError } from '../errors.ts';
import type { Cache } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { Repository } from '../registry/repository.ts';

/** What one layer of a base says about modules: the small files that layering needs, and what it hides below it. */
export interface LayerFacts {
  /** Index files of every kernel and configuration of depmod, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Paths, and below `opaque` whole directories, that older layers no longer show. */
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

const WANTED =
  /^(?:usr\/lib\/modules\/[^/]+\/modules\.[a-z.]+|(?:usr\/lib|etc|usr\/local\/lib)\/depmod\.d\/[^/]+\.conf)$/;

/** Index files of one kernel have some 6 MB in all. */
const MAX_FACTS_BYTES = 256 * 1024 ** 2;

/**
 * The facts of a layer: from the cache, or by streaming the layer once. Layers never change, so what was learnt of one
 * holds for good.
 *
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} when the layer cannot be read.
 */
export async function readLayerFacts(
  repository: Repository,
  layer: Descriptor,
  cache: Cache,
): Promise<LayerFacts> {
  const key = `layer-facts-v1-${hexOf(layer.digest)}`;
  const known = await cache.get(key);
  const cached = known === undefined ? undefined : unpackFacts(known);
  if (cached !== undefined) return cached;

  let sizeBytes = 0;
  const { files, whiteouts, opaque } = await readLayerFiles(() => repository.readBlob(layer), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (path) => WANTED.test(path),
    onEntry: (entry) => {
      if (WANTED.test(entry.path)) sizeBytes += entry.sizeBytes;
      if (sizeBytes > MAX_FACTS_BYTES) {
        throw new LayerError(
          'CONTENT_INVALID',
          `Cannot read layer ${layer.digest}: its module indexes are too large`,
        );
      }
    },
  });
  const facts = {
    files,
    whiteouts: whiteouts.filter((path) => isAboveModules(path)),
    opaque: opaque.filter((path) => isAboveModules(path)),
  };
  await cache.put(key, packFacts(facts));
  return facts;
}

/** Says whether hiding a path can hide what we look for. */
function isAboveModules(path: string): boolean {
  return ['usr/lib/modules', 'usr/lib/depmod.d', 'etc/depmod.d'].some(
    (root) => path === root || path.startsWith(`${root}/`) || root.startsWith(`${path}/`),
  );
}

/** One line of JSON that says what follows, then the files one after another. */
function packFacts({ files, whiteouts, opaque }: LayerFacts): Buffer {
  const sizes = [...files].map(([path, bytes]) => [path, bytes.length]);
  return Buffer.concat([Buffer.from(`${JSON.stringify({ sizes, whiteouts, opaque })}\n`), ...files.values()]);
}

/** Undefined for an entry that another version wrote or that was damaged: it is then learnt anew. */
function unpackFacts(packed: Uint8Array): LayerFacts | undefined {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const end = bytes.indexOf('\n');
  if (end < 0) return undefined;
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, end)) as {
      sizes: [string, number][];
      whiteouts: string[];
      opaque: string[];
    };
    const files = new Map<string, Uint8Array>();
    let at = end + 1;
    for (const [path, size] of head.sizes) {
      files.set(path, bytes.subarray(at, at + size));
      at += size;
    }
    return at === bytes.length ? { files, whiteouts: head.whiteouts, opaque: head.opaque } : undefined;
  } catch {
    return undefined;
  }
}
