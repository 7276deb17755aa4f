import { LayerError } from '../errors.ts';
import type { Cache } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { LayerEntry } from '../oci/layer-reader.ts';
import type { Repository } from '../registry/repository.ts';
import { keepLayerPaths, PathCollector } from './layer-paths.ts';
import { packFiles, unpackFiles } from './packed-files.ts';

/** What one layer of a base says about modules: the small files that layering needs, and what it hides below it. */
export interface LayerFacts {
  /** Index files of every kernel, what its build says of it, and configuration of depmod, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Paths of modules in this layer. */
  readonly modules: readonly string[];
  /** Initramfs of the kernels: what stands at the path, and in a chunk of a commit under which name its bytes are. */
  readonly initramfs: readonly InitramfsPlace[];
  /** Paths, and below `opaque` whole directories, that older layers no longer show. */
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

/** An initramfs in a layer. */
export interface InitramfsPlace {
  /** `usr/lib/modules/<kernel>/initramfs.img`. */
  readonly path: string;
  /** The entry of the tar that has its bytes. */
  readonly entry: string;
  readonly sizeBytes: number;
}

const INITRAMFS = /^usr\/lib\/modules\/[^/]+\/initramfs\.img$/;
const OBJECTS = 'sysroot/ostree/repo/objects/';

const WANTED =
  /^(?:usr\/lib\/modules\/[^/]+\/(?:modules\.[a-z.]+|symvers(?:\.gz|\.xz)?|config)|(?:usr\/lib|etc|usr\/local\/lib)\/depmod\.d\/[^/]+\.conf)$/;

const MODULE = /^usr\/lib\/modules\/.*\.ko(?:\.(?:gz|xz|zst))?$/;

/** Directories that hold what is looked for. */
const ROOTS = ['usr/lib/modules', 'usr/lib/depmod.d', 'usr/local/lib/depmod.d', 'etc/depmod.d'];

/** Index files of one kernel have some 6 MB in all. */
const MAX_FACTS_BYTES = 128 * 1024 ** 2;

/** Names of all modules in a layer; a kernel has 4000 of 60 characters. */
const MAX_NAMES_LENGTH = 16 * 1024 ** 2;

/**
 * The facts of a layer: from the cache, or by streaming the layer once. Layers never change, so what was learnt of one
 * holds for good. Its paths are kept on the way, for those who ask what an image replaces.
 *
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} when the layer cannot be read.
 */
export async function readLayerFacts(
  repository: Repository,
  layer: Descriptor,
  cache: Cache,
): Promise<LayerFacts> {
  const known = await findLayerFacts(layer, cache);
  if (known !== undefined) return known;

  const modules = new Set<string>();
  const replaced: string[] = [];
  const collector = new PathCollector();
  const finder = new InitramfsFinder();
  let namesLength = 0;
  const { files, whiteouts, opaque } = await readLayerFiles(() => repository.readBlob(layer), {
    maxBytes: unpackLimit(layer.sizeBytes),
    maxFilesBytes: MAX_FACTS_BYTES,
    wants: (path) => WANTED.test(path),
    onEntry: (entry) => {
      const { path, type } = entry;
      collector.add(entry);
      finder.add(entry);
      const isModule = MODULE.test(path);
      // What is neither a file nor a directory hides what older layers have there, too.
      const isReplaced = !['file', 'hardlink', 'directory'].includes(type) && isAboveModules(path);
      if (!isModule && !isReplaced) return;
      namesLength += path.length;
      if (namesLength > MAX_NAMES_LENGTH) {
        throw new LayerError(
          'CONTENT_INVALID',
          `Cannot read layer ${layer.digest}: it has too many names below /usr/lib/modules`,
        );
      }
      if (isModule) modules.add(path);
      if (isReplaced) replaced.push(path);
    },
  });
  const facts = {
    files,
    modules: [...modules],
    initramfs: finder.found,
    whiteouts: [...whiteouts.filter((path) => isAboveModules(path)), ...replaced],
    opaque: opaque.filter((path) => isAboveModules(path)),
  };
  const { files: found, ...head } = facts;
  await cache.put(keyOf(layer), packFiles(found, head));
  await keepLayerPaths(layer, collector.toPaths(), cache);
  return facts;
}

/** The facts of a layer as far as they were learnt before; reads no layer. */
export async function findLayerFacts(layer: Descriptor, cache: Cache): Promise<LayerFacts | undefined> {
  const known = await cache.get(keyOf(layer));
  return known === undefined ? undefined : unpackFacts(known);
}

/** Says whether a layer takes a path of the layers below it away. */
export function hides(
  { whiteouts, opaque }: Pick<LayerFacts, 'whiteouts' | 'opaque'>,
  path: string,
): boolean {
  return (
    whiteouts.some((hidden) => path === hidden || path.startsWith(`${hidden}/`)) ||
    opaque.some((directory) => directory === '' || path.startsWith(`${directory}/`))
  );
}

function keyOf(layer: Descriptor): string {
  return `layer-facts-v4-${hexOf(layer.digest)}`;
}

/** Says whether hiding a path can hide what we look for. */
function isAboveModules(path: string): boolean {
  return (
    path === '' ||
    ROOTS.some((root) => path === root || path.startsWith(`${root}/`) || root.startsWith(`${path}/`))
  );
}

/** Undefined for an entry that was damaged: it is then learnt anew. */
function unpackFacts(packed: Uint8Array): LayerFacts | undefined {
  const unpacked = unpackFiles(packed);
  if (unpacked === undefined) return undefined;
  const { modules, initramfs, whiteouts, opaque } = unpacked.head;
  if (!isTexts(modules) || !isTexts(whiteouts) || !isTexts(opaque) || !isPlaces(initramfs)) return undefined;
  return { files: unpacked.files, modules, initramfs, whiteouts, opaque };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isPlaces(value: unknown): value is InitramfsPlace[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
}

/** In a chunk of a commit the bytes come under their checksum, and the path follows as a link to them. */
class InitramfsFinder {
  readonly found: InitramfsPlace[] = [];
  #lastObject: { readonly path: string; readonly sizeBytes: number } | undefined;

  add({ path, type, sizeBytes, linkPath }: LayerEntry): void {
    if (type === 'file' && path.startsWith(OBJECTS)) this.#lastObject = { path, sizeBytes };
    if (!INITRAMFS.test(path)) return;
    if (type === 'file') this.found.push({ path, entry: path, sizeBytes });
    const object = this.#lastObject;
    if (type === 'hardlink' && object !== undefined && object.path === linkPath)
      this.found.push({ path, entry: object.path, sizeBytes: object.sizeBytes });
  }
}
