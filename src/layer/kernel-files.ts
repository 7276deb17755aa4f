import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { findLayerFacts, hides, type LayerFacts } from './layer-facts.ts';
import { componentsOf, finalLayer, moduleLayerOrder } from './layer-order.ts';
import { packFiles, unpackFiles } from './packed-files.ts';

/** A file of the base's kernel, as it lies in the image. */
export interface KernelFile {
  /** Below the kernel's module directory, for instance `symvers.gz`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What they unpack to, where that is known. */
  readonly plain?: Uint8Array | undefined;
}

/** What the base says of its kernel besides the indexes; undefined: no layer that was looked into has it. */
export interface KernelFiles {
  /** Symbols that the kernel and its modules export: `symvers.gz`, or `symvers.xz` on newer ones. */
  readonly symvers: KernelFile | undefined;
  /** What the kernel was built with. */
  readonly config: KernelFile | undefined;
  /** One of the modules that the kernel was built with: all of them were built for it in the same way. */
  readonly module: KernelFile | undefined;
}

type Need = keyof KernelFiles;

const NAMES: Readonly<Record<Need, RegExp>> = {
  symvers: /^symvers(?:\.gz|\.xz)?$/,
  config: /^config$/,
  module: /^kernel\/.*\.ko(?:\.(?:gz|xz|zst))?$/,
};

const ALL: readonly Need[] = ['symvers', 'config', 'module'];

/** Packages of the kernel, as chunks name them: `kernel-core`, `kernel-rt-modules-core-5.14.0-427.el9_4.x86_64`. */
const MODULES_PACKAGE = /^kernel(?:-[a-z0-9]+)?-modules(?:-core|-partner)?(?:-\d|$)/;
const CORE_PACKAGE = /^kernel(?:-[a-z0-9]+)?-core(?:-\d|$)/;

/**
 * Reads of a base image what its kernel asks of modules. The chunks of the kernel's packages are left as soon as they
 * gave what they have, so that what is learnt was not checked against their digests: it serves to judge modules, and
 * nothing of it goes into an image. It is kept by the layer's digest.
 *
 * @throws {OciError} and {RegistryError} when a layer cannot be read.
 */
export async function readKernelFiles(
  image: OpenedImage,
  kernel: KernelRelease,
  io: Pick<Io, 'cache'>,
): Promise<KernelFiles> {
  const directory = `usr/lib/modules/${kernel}/`;
  const found = new Map<Need, KernelFile>();
  const newer: LayerFacts[] = [];
  for (const { layer, needs } of await planReading(image, directory, io)) {
    const missing = needs.filter((need) => !found.has(need));
    const facts = await findLayerFacts(layer, io.cache);
    if (missing.length > 0) {
      for (const [path, bytes] of await readFrom(layer, { image, directory, missing, facts }, io)) {
        const name = path.slice(directory.length);
        const need = missing.find((one) => NAMES[one].test(name));
        if (need === undefined || newer.some((one) => hides(one, path))) continue;
        found.set(need, { name, bytes });
      }
    }
    if (facts !== undefined) newer.push(facts);
  }
  return { symvers: found.get('symvers'), config: found.get('config'), module: found.get('module') };
}

interface Reading {
  readonly layer: Descriptor;
  /** What may be in this layer. */
  readonly needs: readonly Need[];
}

/**
 * Which layers are looked into, and for what: one that was added to the base when it brings a whole kernel, else the
 * chunks that are named after the kernel's packages. Only where no chunk has such a name, all of them.
 */
async function planReading(
  image: OpenedImage,
  directory: string,
  io: Pick<Io, 'cache'>,
): Promise<readonly Reading[]> {
  const { layers } = image.manifest;
  const components = componentsOf(image);
  const final = finalLayer(image);
  const named = (at: number, pattern: RegExp): boolean =>
    components[at]?.some((name) => pattern.test(name)) === true;
  const order = moduleLayerOrder(image);
  const added: { readonly at: number; readonly needs: readonly Need[] }[] = [];
  for (const at of order.filter((one) => final >= 0 && one > final)) {
    const layer = layers[at];
    const facts = layer === undefined ? undefined : await findLayerFacts(layer, io.cache);
    const hasKernel = facts?.files.has(`${directory}modules.builtin`) !== false;
    added.push({ at, needs: hasKernel ? ALL : [] });
  }
  const base = order.filter((at) => final < 0 || at <= final);
  const core = base.filter((at) => named(at, CORE_PACKAGE));
  const modules = base.filter((at) => named(at, MODULES_PACKAGE));
  const isApart = modules.some((at) => !core.includes(at));
  const plan: { readonly at: number; readonly needs: readonly Need[] }[] = [
    ...added,
    ...core.map((at) => ({ at, needs: isApart ? (['symvers', 'config'] as const) : ALL })),
    ...modules.map((at) => ({ at, needs: core.includes(at) ? ALL : (['module'] as const) })),
    ...(core.length + modules.length === 0 ? base.map((at) => ({ at, needs: ALL })) : []),
  ];
  return plan.flatMap(({ at, needs }) => {
    const layer = layers[at];
    return layer === undefined ? [] : [{ layer, needs }];
  });
}

interface ReadFromOptions {
  readonly image: OpenedImage;
  readonly directory: string;
  readonly missing: readonly Need[];
  /** What is known of the layer when it was read before. */
  readonly facts: LayerFacts | undefined;
}

async function readFrom(
  layer: Descriptor,
  { image, directory, missing, facts }: ReadFromOptions,
  { cache }: Pick<Io, 'cache'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const isWanted = (need: Need, path: string): boolean =>
    path.startsWith(directory) && NAMES[need].test(path.slice(directory.length));
  if (facts !== undefined) {
    const known = new Map([...facts.files].filter(([path]) => missing.some((need) => isWanted(need, path))));
    const hasModule = facts.modules.some((path) => isWanted('module', path));
    if (!missing.includes('module') || !hasModule) return known;
  }
  const key = `kernel-files-v1-${hexOf(digestOf(Buffer.from(`${directory} ${missing.join()}`)))}-${hexOf(layer.digest)}`;
  const kept = await cache.get(key);
  const unpacked = kept === undefined ? undefined : unpackFiles(kept);
  if (unpacked !== undefined) return unpacked.files;

  let module: string | undefined;
  const { files } = await readLayerFiles(() => image.repository.readBlob(layer), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (path) => {
      const need = missing.find((one) => isWanted(one, path));
      if (need === 'module') module ??= path;
      return need !== undefined && (need !== 'module' || path === module);
    },
    isDone: (seen) => missing.every((need) => [...seen.keys()].some((path) => isWanted(need, path))),
  });
  await cache.put(key, packFiles(files));
  return files;
}
