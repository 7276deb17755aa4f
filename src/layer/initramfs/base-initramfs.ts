import { LayerError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { unpackLimit } from '../../oci/layer-files.ts';
import { streamLayerFile } from '../../oci/layer-stream.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { hides, type InitramfsPlace, type LayerFacts, readLayerFacts } from '../layer-facts.ts';
import { indexLayerOrder } from '../layer-order.ts';
import { packFiles, unpackFiles } from '../packed-files.ts';
import { readInitramfs } from './read-initramfs.ts';

/** What an initramfs has that decides how modules are added to it. */
export interface InitramfsFacts {
  /** `modules.*` of the kernel by name; empty when it holds no modules. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Paths of all modules for the kernel, below its directory. */
  readonly modules: readonly string[];
  /** The kernel's directory, for instance `usr/lib/modules/<kernel>`; undefined when there is none. */
  readonly directory: string | undefined;
  /** Directories above which modules and their configuration stand that are symlinks, for instance `lib`. */
  readonly links: readonly string[];
}

/** An initramfs as a stream, and what is in it. */
export interface BaseInitramfs extends InitramfsFacts {
  readonly sizeBytes: number;
  /** Its bytes from the start, each time the same. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** What stands above modules, firmware and configuration. */
const PARENTS =
  /^(?:usr|usr\/lib|lib|(?:usr\/)?lib\/(?:modules|firmware|modprobe\.d|modules-load\.d)(?:\/[^/]+)?)$/;

/**
 * Finds the initramfs of a kernel in an OS image, and reads what is in it. It is streamed once; what it holds is kept by
 * the digest of its layer.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED` when there is none, or it cannot be read; {OciError}, {RegistryError}.
 */
export async function readBaseInitramfs(
  image: OpenedImage,
  kernel: KernelRelease,
  io: Pick<Io, 'cache' | 'signal' | 'report'>,
): Promise<BaseInitramfs> {
  const { layer, place } = await findInitramfs(image, kernel, io);
  const open = (): AsyncIterable<Uint8Array> =>
    streamLayerFile(image.repository.readBlob(layer, { signal: io.signal }), {
      path: place.entry,
      maxBytes: unpackLimit(layer.sizeBytes),
    });
  const key = `initramfs-v1-${hexOf(digestOf(Buffer.from(place.path)))}-${hexOf(layer.digest)}`;
  const kept = await io.cache.get(key);
  const known = kept === undefined ? undefined : unpackFacts(kept);
  if (known !== undefined) return { ...known, sizeBytes: place.sizeBytes, open };
  io.report({
    type: 'transfer-planned',
    what: `the layer with the initramfs of ${kernel}`,
    blobs: 1,
    sizeBytes: layer.sizeBytes,
  });
  const facts = await readInitramfsFacts(open(), kernel);
  const { indexes, ...head } = facts;
  await io.cache.put(key, packFiles(indexes, head));
  return { ...facts, sizeBytes: place.sizeBytes, open };
}

/**
 * Reads what is in an initramfs.
 *
 * @throws {LayerError}, {ModuleError} as `readInitramfs` does.
 */
export async function readInitramfsFacts(
  chunks: AsyncIterable<Uint8Array>,
  kernel: KernelRelease,
): Promise<InitramfsFacts> {
  const below = new RegExp(`^((?:usr/)?lib/modules/${kernel.replaceAll(/[.+]/g, '\\$&')})/(.+)$`);
  const indexes = new Map<string, Uint8Array>();
  const modules = new Set<string>();
  const links = new Set<string>();
  let directory: string | undefined;
  await readInitramfs(chunks, {
    wants: ({ path, type }) => type === 'file' && /\/modules\.[a-z.]+$/.test(path) && below.test(path),
    onEntry: ({ path, type }) => {
      if (PARENTS.test(path)) {
        if (type === 'symlink') links.add(path);
        else links.delete(path);
      }
      const [, found, name = ''] = below.exec(path) ?? [];
      if (found === undefined) return;
      directory = found;
      if (/\.ko(?:\.(?:gz|xz|zst))?$/.test(name)) modules.add(name);
    },
    onContent: ({ path }, bytes) => void indexes.set(path.slice(path.lastIndexOf('/') + 1), bytes),
  });
  return { indexes, modules: [...modules].sort(), directory, links: [...links] };
}

async function findInitramfs(
  image: OpenedImage,
  kernel: KernelRelease,
  io: Pick<Io, 'cache'>,
): Promise<{ readonly layer: Descriptor; readonly place: InitramfsPlace }> {
  const path = `usr/lib/modules/${kernel}/initramfs.img`;
  const newer: LayerFacts[] = [];
  for (const at of indexLayerOrder(image)) {
    const layer = image.manifest.layers[at];
    if (layer === undefined) continue;
    const facts = await readLayerFacts(image.repository, layer, io.cache);
    const place = facts.initramfs.find((one) => one.path === path);
    if (place !== undefined && !newer.some((one) => hides(one, path))) return { layer, place };
    newer.push(facts);
  }
  throw new LayerError(
    'BASE_UNSUPPORTED',
    `Cannot add modules to the initramfs of ${image.manifest.digest}: it has no /${path}`,
    { hint: 'Leave "initramfs" out for this base, or name an OS image that has an initramfs.' },
  );
}

/** Undefined for an entry that was damaged: it is then learnt anew. */
function unpackFacts(packed: Uint8Array): InitramfsFacts | undefined {
  const unpacked = unpackFiles(packed);
  if (unpacked === undefined) return undefined;
  const { modules, directory, links } = unpacked.head;
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (!isTexts(modules) || !isTexts(links)) return undefined;
  return {
    indexes: unpacked.files,
    modules,
    links,
    directory: typeof directory === 'string' ? directory : undefined,
  };
}
