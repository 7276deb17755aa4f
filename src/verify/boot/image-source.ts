import type { Io } from '../../io.ts';
import { readCommit } from '../../layer/base-paths.ts';
import { hides } from '../../layer/layer-facts.ts';
import { componentsOf, finalLayer } from '../../layer/layer-order.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { formatReference, pinned } from '../../oci/reference.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import { type BootSource, selectOf } from './boot-kit.ts';
import {
  type BootLayer,
  isConfiguration,
  isKnownLibrary,
  readBootLayer,
  readBootModules,
} from './boot-layer.ts';
import type { RootNode } from './root.ts';
import { collectUserland } from './userland.ts';

/** Indexes that modprobe reads. */
const INDEXES = [
  'modules.dep',
  'modules.dep.bin',
  'modules.alias.bin',
  'modules.symbols.bin',
  'modules.softdep',
];
const BUILT_IN_INDEXES = ['modules.builtin.bin', 'modules.builtin'];

/** Packages that hold what a guest runs, as layers are named after them. */
const PACKAGES =
  /^(?:bash|dash|busybox|coreutils|glibc|kmod|util-linux|libmount|libblkid|libselinux|libuuid|pcre2|ncurses|readline|xz|libzstd|zlib|openssl|libcap|libacl|libattr|gmp|filesystem)(?:-|$)/;

/**
 * What an OS image has for a boot, from as few of its layers as can be: what was added to the OS, newest first, then
 * the chunks whose names promise kernel, modules and userland, then the others until all is there. Each is streamed
 * once, and what was learnt of it is kept. That no file of modprobe.d is missing is known where the directories of the
 * commit can be read; elsewhere, it may be one of a layer that has nothing else.
 *
 * @param modules Names of the modules that will be loaded.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {LayerError} `CONTENT_INVALID`; {ModuleError}; {RegistryError}.
 */
export async function readImageSource(
  image: OpenedImage,
  { kernel, modules }: { readonly kernel: KernelRelease; readonly modules: readonly string[] },
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<BootSource> {
  const view = new ImageView(kernel);
  const commit = await readCommit(image, io);
  const configuration = [...(commit?.paths.keys() ?? [])].filter(isConfiguration);
  const order = bootLayerOrder(image);
  for (const { at, layer } of layersAt(image, order)) {
    view.add(
      at,
      await readBootLayer(
        { repository: image.repository, layer },
        { kernel, libraries: [] },
        wantsModule(view, modules),
        io,
      ),
    );
    if (configuration.every((path) => view.knows(path)) && (await isComplete(view, modules))) break;
  }
  const { missing } = await collectUserland(view);
  const libraries = missing.filter((name) => !name.startsWith('/') && !isKnownLibrary(name));
  if (libraries.length > 0) await addLibraries(view, { image, kernel, libraries }, io);
  return {
    name: formatReference(pinned(image.repository.reference, image.manifest.digest)),
    root: view,
    vmlinuz: view.file(`${view.directory}vmlinuz`),
    indexes: view.indexes(),
    configuration: view.configuration(),
    readModules: (paths) => readModules(view, { image, paths }, io),
  };
}

/** All that was learnt of layers so far; the newest one that has a path counts. */
class ImageView {
  readonly directory: string;
  readonly #nodes = new Map<string, RootNode>();
  /** Number of the layer that a module lies in. */
  readonly #modules = new Map<string, number>();
  readonly #layers: BootLayer[] = [];

  constructor(kernel: KernelRelease) {
    this.directory = `usr/lib/modules/${kernel}/`;
  }

  add(at: number, layer: BootLayer): void {
    for (const [path, node] of layer.nodes) {
      if (!this.knows(path)) this.#nodes.set(path, node);
    }
    for (const path of layer.modules) {
      if (!this.#modules.has(path) && !this.#isHidden(path)) this.#modules.set(path, at);
    }
    this.#layers.push(layer);
  }

  /** Says whether older layers have nothing to say about a path. */
  knows(path: string): boolean {
    return this.#nodes.has(path) || this.#isHidden(path);
  }

  /** Adds what a layer that was added before also has. */
  addLate(nodes: ReadonlyMap<string, RootNode>): void {
    for (const [path, node] of nodes) {
      if (!this.#nodes.has(path)) this.#nodes.set(path, node);
    }
  }

  find(path: string): Promise<RootNode | undefined> {
    return Promise.resolve(this.#nodes.get(path));
  }

  file(path: string): Uint8Array | undefined {
    const node = this.#nodes.get(path);
    return node?.type === 'file' ? node.bytes : undefined;
  }

  layerOf(module: string): number | undefined {
    return this.#modules.get(this.directory + module);
  }

  indexes(): ReadonlyMap<string, Uint8Array> {
    return this.#filesBelow(`${this.directory}modules.`, (path) => path.slice(this.directory.length));
  }

  /** An encapsulated commit has the OS's own configuration in `/usr/etc`, which becomes `/etc`. */
  configuration(): ReadonlyMap<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const [path, node] of this.#nodes) {
      if (!path.includes('/modprobe.d/')) continue;
      const place = path.replace(/^usr\/etc\//, 'etc/');
      // A link to /dev/null hides a file of the same name elsewhere.
      const bytes =
        node.type === 'file' ? node.bytes : node.target === '/dev/null' ? Buffer.alloc(0) : undefined;
      if (bytes !== undefined && (place === path || !this.#nodes.has(place))) found.set(place, bytes);
    }
    return found;
  }

  #isHidden(path: string): boolean {
    return this.#layers.some((newer) => hides(newer, path));
  }

  #filesBelow(prefix: string, nameOf: (path: string) => string): ReadonlyMap<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const [path, node] of this.#nodes) {
      if (path.startsWith(prefix) && node.type === 'file') found.set(nameOf(path), node.bytes);
    }
    return found;
  }
}

/** Before `modules.dep` was seen, the modules themselves are known, by name; then all that they need, by path. */
function wantsModule(view: ImageView, modules: readonly string[]): (path: string) => boolean {
  if (!view.indexes().has('modules.dep')) return (path) => modules.includes(moduleNameOfPath(path));
  const wanted = new Set(pathsOf(view, modules).map((path) => view.directory + path));
  return (path) => wanted.has(path);
}

function pathsOf(view: ImageView, modules: readonly string[]): readonly string[] {
  return selectOf({ indexes: view.indexes(), configuration: view.configuration() }, modules);
}

async function isComplete(view: ImageView, modules: readonly string[]): Promise<boolean> {
  const indexes = view.indexes();
  if (![...INDEXES, ...BUILT_IN_INDEXES].every((name) => indexes.has(name))) return false;
  if (view.file(`${view.directory}vmlinuz`) === undefined) return false;
  if (!pathsOf(view, modules).every((path) => view.layerOf(path) !== undefined)) return false;
  return (await collectUserland(view)).missing.every(
    (name) => !name.startsWith('/') && !isKnownLibrary(name),
  );
}

/** A second look into layers, for libraries that no shell, mount or kmod that is known needs. */
async function addLibraries(
  view: ImageView,
  wanted: {
    readonly image: OpenedImage;
    readonly kernel: KernelRelease;
    readonly libraries: readonly string[];
  },
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<void> {
  const { image, kernel } = wanted;
  const libraries = [...wanted.libraries].sort();
  for (const { layer } of layersAt(image, bootLayerOrder(image))) {
    const source = { repository: image.repository, layer };
    const { nodes } = await readBootLayer(source, { kernel, libraries }, () => false, io);
    view.addLate(nodes);
    const { missing } = await collectUserland(view);
    if (!libraries.some((name) => missing.includes(name))) return;
  }
}

async function readModules(
  view: ImageView,
  { image, paths }: { readonly image: OpenedImage; readonly paths: readonly string[] },
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const { at, layer } of layersAt(image, bootLayerOrder(image))) {
    const inLayer = paths.filter((path) => view.layerOf(path) === at).map((path) => view.directory + path);
    if (inLayer.length === 0) continue;
    for (const [path, bytes] of await readBootModules({ repository: image.repository, layer }, inLayer, io))
      found.set(path.slice(view.directory.length), bytes);
  }
  return found;
}

/** In an image without an encapsulated commit, all layers from the newest on. */
function bootLayerOrder(image: OpenedImage): readonly number[] {
  const final = finalLayer(image);
  const order = image.manifest.layers.map((_, at) => at).toReversed();
  if (final < 0) return order;
  const components = componentsOf(image);
  const has = (at: number, pattern: RegExp): boolean =>
    components[at]?.some((name) => pattern.test(name)) === true;
  const ranked = (at: number): number =>
    has(at, /^rpmostree-unpackaged-content/) ? 0 : has(at, /^kernel(?:-|$)/) ? 1 : has(at, PACKAGES) ? 2 : 3;
  const chunks = order.filter((at) => at <= final).sort((a, b) => ranked(a) - ranked(b) || b - a);
  return [...order.filter((at) => at > final), ...chunks];
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
