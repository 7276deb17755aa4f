import { LayerError, ModuleError, ResolveError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import { decompressModule } from '../../kmod/compression.ts';
import type { KernelModule } from '../../kmod/module.ts';
import { readModule } from '../../kmod/read-module.ts';
import { type Base, readBase } from '../../layer/base.ts';
import { readBasePaths } from '../../layer/base-paths.ts';
import { findLayerFacts } from '../../layer/layer-facts.ts';
import { type Arch, findArch } from '../../oci/arch.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import { findKernelRelease } from '../../resolve/kernel-name.ts';
import { osKernel } from '../../resolve/os-kernel.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { MODULE_FILE, readAddedLayers } from './added-layer.ts';
import { type AddedTree, makeAddedTree } from './added-tree.ts';
import { baseOf, type Boundary } from './boundary.ts';
import { expectedIndexes } from './expected-indexes.ts';
import { isLeft, kernelPathOf, moduleDirectory } from './kernel-paths.ts';
import type { LintInput } from './lint-input.ts';

/** An image whose added layers were read, and what they stand on. */
export interface OpenedLayers extends LintInput {
  readonly image: OpenedImage;
  /** What the image's kernel and its indexes are read from: the base, with the layer that replaces its kernel. */
  readonly base: OpenedImage;
  /** Bytes of `modules`, unpacked. */
  readonly moduleBytes: ReadonlyMap<string, Uint8Array>;
  /** depmod.d of the base, by path. */
  readonly depmodConfig: ReadonlyMap<string, Uint8Array>;
}

type LayersIo = Pick<Io, 'cache' | 'report' | 'signal'>;

/** Largest module, unpacked. */
const MAX_MODULE_BYTES = 256 * 1024 ** 2;

/**
 * Reads the layers that were added to an OS image, and of its base what they are to be judged by: the kernel's
 * indexes, and the names of paths.
 *
 * @throws {OciError} and {RegistryError} when something cannot be had.
 */
export async function openLayers(
  image: OpenedImage,
  boundary: Boundary,
  io: LayersIo,
): Promise<OpenedLayers> {
  const tree = makeAddedTree(await readAddedLayers(image, boundary.baseLayers, io));
  const original = baseOf(image, boundary);
  const baseKernel = await findBaseKernel(original, io);
  const kernel = bootedKernel(tree, image, baseKernel);
  const isReplaced = kernel !== baseKernel;
  const base = isReplaced
    ? baseOf(image, { baseLayers: layersUpToKernel(image, boundary, tree, kernel) })
    : original;
  const found = kernel === undefined ? undefined : await findIndexes(base, kernel, io);
  const read = await readModules(tree, kernel, isReplaced);
  const paths = await readBasePaths(original, io, { isWhole: false });
  const baseIndexes = found?.indexes ?? new Map<string, Uint8Array>();
  return {
    image,
    boundary,
    tree,
    base,
    kernel,
    baseKernel,
    baseIndexes,
    indexes: effectiveIndexes(baseIndexes, tree, kernel),
    depmodConfig: found?.depmodConfig ?? new Map<string, Uint8Array>(),
    findInBase: (path) => paths.find(path),
    expected:
      found === undefined || kernel === undefined
        ? undefined
        : await expectedIndexes({ image: base, base: found, kernel, tree, modules: read.modules }, io),
    ...read,
  };
}

/** Labels are known to name another kernel than the one that is there: then what is there counts. */
async function findBaseKernel(base: OpenedImage, io: LayersIo): Promise<KernelRelease | undefined> {
  const arch = findArch(base.config.architecture);
  if (arch === undefined || base.manifest.layers.length === 0) return undefined;
  const said = await saidKernel(base, arch, io);
  if (said !== undefined && (await findIndexes(base, said, io)) !== undefined) return said;
  const indexed = new Set<KernelRelease>();
  for (const layer of base.manifest.layers) {
    for (const path of (await findLayerFacts(layer, io.cache))?.files.keys() ?? []) {
      const place = kernelPathOf(path);
      const kernel = place?.path === 'modules.dep' ? findKernelRelease(place.kernel, arch) : undefined;
      if (kernel !== undefined) indexed.add(kernel);
    }
  }
  return indexed.size === 1 ? [...indexed][0] : said;
}

/** Undefined when the base does not say which kernel it has. */
async function saidKernel(base: OpenedImage, arch: Arch, io: LayersIo): Promise<KernelRelease | undefined> {
  try {
    return (await osKernel(base, arch, io)).release;
  } catch (error) {
    if (error instanceof ResolveError && error.code === 'KERNEL_UNKNOWN') return undefined;
    throw error;
  }
}

/** A layer may bring another kernel, and take the one of the base away. */
function bootedKernel(
  tree: AddedTree,
  { config }: OpenedImage,
  baseKernel: KernelRelease | undefined,
): KernelRelease | undefined {
  const arch = findArch(config.architecture);
  if (baseKernel !== undefined && isLeft(tree, `${moduleDirectory(baseKernel)}vmlinuz`)) return baseKernel;
  for (const path of tree.entries.keys()) {
    const found = kernelPathOf(path);
    if (found?.path !== 'vmlinuz') continue;
    const kernel = arch === undefined ? undefined : findKernelRelease(found.kernel, arch);
    if (kernel !== undefined) return kernel;
  }
  return baseKernel;
}

function layersUpToKernel(
  image: OpenedImage,
  { baseLayers }: Boundary,
  tree: AddedTree,
  kernel: KernelRelease | undefined,
): number {
  const layer = tree.entries.get(`${moduleDirectory(kernel)}vmlinuz`)?.layer;
  const at = layer === undefined ? -1 : tree.layers.indexOf(layer);
  return Math.min(baseLayers + at + 1, image.manifest.layers.length);
}

async function findIndexes(
  base: OpenedImage,
  kernel: KernelRelease,
  io: LayersIo,
): Promise<Base | undefined> {
  try {
    return await readBase(base, kernel, io);
  } catch (error) {
    if (error instanceof LayerError && error.code === 'INDEX_NOT_FOUND') return undefined;
    throw error;
  }
}

function effectiveIndexes(
  ofBase: ReadonlyMap<string, Uint8Array>,
  tree: AddedTree,
  kernel: KernelRelease | undefined,
): ReadonlyMap<string, Uint8Array> {
  const directory = moduleDirectory(kernel);
  const indexes = new Map([...ofBase].filter(([name]) => !tree.removes(directory + name)));
  for (const [path, bytes] of tree.files)
    if (path.startsWith(`${directory}modules.`)) indexes.set(path.slice(directory.length), bytes);
  return indexes;
}

interface ReadModules {
  readonly modules: ReadonlyMap<string, KernelModule>;
  readonly moduleBytes: ReadonlyMap<string, Uint8Array>;
  readonly unreadable: LintInput['unreadable'];
}

/** The modules for the image's kernel; of a kernel that a layer brings, those that did not come with it. */
async function readModules(
  tree: AddedTree,
  kernel: KernelRelease | undefined,
  isReplaced: boolean,
): Promise<ReadModules> {
  const modules = new Map<string, KernelModule>();
  const moduleBytes = new Map<string, Uint8Array>();
  const unreadable: { path: string; why: string }[] = [];
  for (const [path, bytes] of tree.files) {
    const place = MODULE_FILE.test(path) ? kernelPathOf(path) : undefined;
    if (place === undefined || place.kernel !== kernel) continue;
    if (isReplaced && place.path.startsWith('kernel/')) continue;
    try {
      const unpacked = await decompressModule(bytes, { maxBytes: MAX_MODULE_BYTES });
      moduleBytes.set(path, unpacked);
      modules.set(path, readModule(unpacked));
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      unreadable.push({ path, why: error.message });
    }
  }
  return { modules, moduleBytes, unreadable };
}
