import type { Io } from '../../io.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { unpackLimit } from '../../oci/layer-files.ts';
import { LayerError } from '../../errors.ts';
import type { Repository } from '../../registry/repository.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { type LayerNodes, type NodeOptions, readLayerNodes } from './layer-nodes.ts';
import type { RootNode } from './root.ts';

/** What one layer holds of all that a boot may need, by path. */
export interface BootLayer {
  readonly nodes: ReadonlyMap<string, RootNode>;
  /** Paths of the kernel's modules that lie in this layer. */
  readonly modules: readonly string[];
  /** Paths, and below `opaque` whole directories, that older layers no longer show. */
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

/** What is looked for in layers. */
export interface BootWants {
  readonly kernel: KernelRelease;
  /** Names of libraries, apart from those that shells, mount and kmod are known to need. */
  readonly libraries: readonly string[];
}

const PROGRAM =
  /^(?:usr\/)?s?bin\/(?:sh|bash|dash|busybox|mount|cat|coreutils|kmod|modprobe|insmod|rmmod|lsmod)$/;
const DIRECTORY_LINK = /^(?:bin|sbin|lib|lib64|usr\/sbin|usr\/lib64)$/;
const LIBRARY = /^(?:usr\/)?lib(?:64)?\/(?:[\w-]+-linux-gnu\/)?(?<name>[^/]+\.so(?:\.[\w.-]+)?)$/;
/** Of the shell, mount, cat and kmod, in distributions that are known. */
const KNOWN_LIBRARY =
  /^(?:ld[.-].*|ld64\..*|lib(?:acl|attr|blkid|c|cap|crypto|dl|eudev|gmp|kmod|lzma|m|mount|ncurses|ncursesw|pcre2-8|pthread|readline|resolv|rt|selinux|tinfo|udev|util|uuid|z|zstd)[.-].*)$/;
const MODPROBE_CONFIG = /^(?:usr\/lib|usr\/local\/lib|etc|usr\/etc)\/modprobe\.d\/[^/]+\.conf$/;

/** Says whether a path is one of modprobe's configuration, as images have it. */
export function isConfiguration(path: string): boolean {
  return MODPROBE_CONFIG.test(path);
}

/** Says whether a library is among those that are always looked for. */
export function isKnownLibrary(name: string): boolean {
  return KNOWN_LIBRARY.test(name);
}

/**
 * What a layer has for a boot: from the cache, or by streaming the layer once. Layers never change, so what was learnt
 * of one holds for good.
 *
 * @param wantsModule Modules whose bytes are kept on the way, for `readBootModules`.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {LayerError} `CONTENT_INVALID`; {RegistryError}.
 */
export async function readBootLayer(
  source: { readonly repository: Repository; readonly layer: Descriptor },
  wants: BootWants,
  wantsModule: (path: string) => boolean,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<BootLayer> {
  const key = keyOf(source.layer, wants);
  const known = await io.cache.get(key);
  const unpacked = known === undefined ? undefined : unpack(known);
  if (unpacked !== undefined) return unpacked;

  const directory = `usr/lib/modules/${wants.kernel}/`;
  const isModule = (path: string): boolean =>
    path.startsWith(directory) && /\.ko(?:\.(?:gz|xz|zst))?$/.test(path);
  const isWanted = (path: string): boolean =>
    path.startsWith(directory)
      ? /^(?:vmlinuz|modules\.[a-z.]+)$/.test(path.slice(directory.length))
      : isUserland(path, wants.libraries);
  const modules = new Set<string>();
  const { nodes, whiteouts, opaque } = await walk(
    source,
    {
      wants: (path) => isWanted(path) || (isModule(path) && wantsModule(path)),
      onPath: (path) => {
        if (isModule(path)) modules.add(path);
      },
    },
    io,
  );
  for (const [path, node] of nodes) {
    if (!isModule(path)) continue;
    if (node.type === 'file') await io.cache.put(moduleKeyOf(source.layer, path), node.bytes);
    nodes.delete(path);
  }
  const layer = { nodes, modules: [...modules], whiteouts, opaque };
  await io.cache.put(key, pack(layer));
  return layer;
}

/**
 * Modules of a layer, as they lie in it: those that were kept, and the rest by streaming the layer once more.
 *
 * @throws as `readBootLayer`; {LayerError} `CONTENT_INVALID` for one that is no regular file.
 */
export async function readBootModules(
  source: { readonly repository: Repository; readonly layer: Descriptor },
  paths: readonly string[],
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const path of paths) {
    const kept = await io.cache.get(moduleKeyOf(source.layer, path));
    if (kept !== undefined) found.set(path, kept);
  }
  const missing = new Set(paths.filter((path) => !found.has(path)));
  if (missing.size === 0) return found;
  const { nodes } = await walk(source, { wants: (path) => missing.has(path) }, io);
  for (const path of missing) {
    const node = nodes.get(path);
    if (node?.type !== 'file')
      throw new LayerError('CONTENT_INVALID', `Cannot read ${path}: it is no regular file`);
    await io.cache.put(moduleKeyOf(source.layer, path), node.bytes);
    found.set(path, node.bytes);
  }
  return found;
}

function isUserland(path: string, libraries: readonly string[]): boolean {
  if (PROGRAM.test(path) || DIRECTORY_LINK.test(path) || isConfiguration(path)) return true;
  const name = LIBRARY.exec(path)?.groups?.['name'];
  return name !== undefined && (isKnownLibrary(name) || libraries.some((wanted) => name.startsWith(wanted)));
}

async function walk(
  { repository, layer }: { readonly repository: Repository; readonly layer: Descriptor },
  options: Pick<NodeOptions, 'wants' | 'onPath'>,
  io: Pick<Io, 'report' | 'signal'>,
): Promise<LayerNodes> {
  io.report({
    type: 'detail',
    message: `reading layer ${layer.digest} (${Math.ceil(layer.sizeBytes / 1e6)} MB) for what a boot needs`,
  });
  return readLayerNodes(() => repository.readBlob(layer, { signal: io.signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    ...options,
  });
}

function keyOf({ digest }: Descriptor, { kernel, libraries }: BootWants): string {
  return `boot-layer-v1-${hexOf(digest)}-${hexOf(digestOf(Buffer.from([kernel, ...libraries].join(' '))))}`;
}

function moduleKeyOf({ digest }: Descriptor, path: string): string {
  return `boot-module-v1-${hexOf(digest)}-${hexOf(digestOf(Buffer.from(path)))}`;
}

/** One line of JSON that says what follows, then the files one after another. */
function pack({ nodes, ...rest }: BootLayer): Buffer {
  const entries = [...nodes].map(([path, node]) =>
    node.type === 'file' ? [path, node.bytes.length] : [path, node.target],
  );
  const files = [...nodes.values()].flatMap((node) => (node.type === 'file' ? [node.bytes] : []));
  return Buffer.concat([Buffer.from(`${JSON.stringify({ entries, ...rest })}\n`), ...files]);
}

/** Undefined for an entry that another version wrote: it is then learnt anew. */
function unpack(packed: Uint8Array): BootLayer | undefined {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const end = bytes.indexOf('\n');
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, Math.max(end, 0))) as Omit<BootLayer, 'nodes'> & {
      readonly entries: readonly (readonly [string, number | string])[];
    };
    const nodes = new Map<string, RootNode>();
    let at = end + 1;
    for (const [path, what] of head.entries) {
      if (typeof what === 'string') {
        nodes.set(path, { type: 'symlink', target: what });
        continue;
      }
      nodes.set(path, { type: 'file', bytes: bytes.subarray(at, at + what) });
      at += what;
    }
    if (at !== bytes.length) return undefined;
    return { nodes, modules: head.modules, whiteouts: head.whiteouts, opaque: head.opaque };
  } catch {
    return undefined;
  }
}
