import { ResolveError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import { formatReference, pinned } from '../oci/reference.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { findKernelRelease, withArch } from './kernel-name.ts';
import { learn, type LayerSource, readLayerFile } from './layer-search.ts';
import { derivedLayers, kernelLayerOrder, kernelOfCommit, kernelOfLayer } from './module-directory.ts';
import type { KernelSource } from './target.ts';

/** The kernel of an OS image and how it became known. */
export interface OsKernel {
  readonly release: KernelRelease;
  readonly source: KernelSource;
}

const META_JSON = 'usr/share/openshift/base/meta.json';
const MAX_META_JSON_BYTES = 16 * 1024 ** 2;

/**
 * The kernel that an OS image boots, from the cheapest thing that can be believed:
 *
 * 1. `meta.json` in the last layer, made from the image's own package database, when `io.openshift.metalayer` is `true`;
 * 2. the label `ostree.linux`, when it holds a kernel release (from 4.22 on it is the word `true`);
 * 3. the names of chunks in the history;
 * 4. the directory of the kernel's modules, in the layers that may hold it.
 *
 * 2 and 3 speak of the encapsulated commit. When layers were added to it that no `meta.json` describes, those layers
 * are looked into first, since a newer kernel may stand there.
 *
 * @throws {ResolveError} `KERNEL_UNKNOWN`; {OciError} and {RegistryError} when a layer cannot be read.
 */
export async function osKernel(
  image: OpenedImage,
  arch: Arch,
  source: Omit<LayerSource, 'repository'>,
): Promise<OsKernel> {
  const layers: LayerSource = { ...source, repository: image.repository };
  const described = await kernelOfMetaJson(image, arch, layers);
  if (described !== undefined) return { release: described, source: 'meta.json' };

  const derived = derivedLayers(image);
  for (const layer of derived) {
    const release = await kernelOfLayer(layers, layer, arch);
    if (release !== undefined) return { release, source: 'module-directory' };
  }

  const labelled = findKernelRelease(image.config.labels['ostree.linux'], arch);
  if (labelled !== undefined) return { release: labelled, source: 'ostree.linux' };
  const named = kernelOfHistory(image, arch);
  if (named !== undefined) return { release: named, source: 'history' };

  const listed = await kernelOfCommit(layers, image, arch);
  if (listed !== undefined) return { release: listed, source: 'module-directory' };
  for (const layer of kernelLayerOrder(image).filter((one) => !derived.includes(one))) {
    const release = await kernelOfLayer(layers, layer, arch);
    if (release !== undefined) return { release, source: 'module-directory' };
  }
  const name = formatReference(pinned(image.repository.reference, image.manifest.digest));
  throw new ResolveError(
    'KERNEL_UNKNOWN',
    `Cannot tell the kernel of ${name}: no layer holds one for ${arch}`,
    {
      hint: 'Check that this is an OS image: it must have usr/lib/modules/<kernel release>/vmlinuz.',
    },
  );
}

/**
 * The kernel in a `meta.json`: its one package `kernel-core`, else its one package `kernel`.
 *
 * @returns Undefined for anything but a list of packages with exactly one such kernel: the ladder goes on then.
 */
export function kernelOfPackages(bytes: Uint8Array, arch: Arch): KernelRelease | undefined {
  if (bytes.length > MAX_META_JSON_BYTES) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  const packages =
    typeof json === 'object' && json !== null
      ? (json as Record<string, unknown>)['rpmdb.pkglist']
      : undefined;
  if (!Array.isArray(packages)) return undefined;
  for (const wanted of ['kernel-core', 'kernel']) {
    const found = packages.filter(
      (entry: unknown) => Array.isArray(entry) && entry[0] === wanted,
    ) as unknown[][];
    if (found.length > 1) return undefined;
    const [, , version, release, packageArch] = found[0] ?? [];
    if (typeof version !== 'string' || typeof release !== 'string') continue;
    const name = `${version}-${release}`;
    return findKernelRelease(packageArch === arch ? withArch(name, arch) : name, arch);
  }
  return undefined;
}

async function kernelOfMetaJson(
  image: OpenedImage,
  arch: Arch,
  source: LayerSource,
): Promise<KernelRelease | undefined> {
  const layer = image.manifest.layers.at(-1);
  if (layer === undefined || image.config.labels['io.openshift.metalayer'] !== 'true') return undefined;
  const text = await learn(source, { topic: `meta-json-kernel-v1-${arch}`, layer }, async () => {
    const { value, isWhole } = await readLayerFile(source, layer, META_JSON);
    return { value: (value && kernelOfPackages(value, arch)) ?? '', isWhole };
  });
  return findKernelRelease(text, arch);
}

/** Chunks are named `initramfs (kernel <release>)` and `kernel-core-<release>`; two kernels tell nothing. */
function kernelOfHistory(image: OpenedImage, arch: Arch): KernelRelease | undefined {
  const kernels = image.config.history.flatMap(({ createdBy }) =>
    createdBy
      .slice(0, 4096)
      .split(' and ')
      .flatMap((component) => {
        const match = /^(?:initramfs \(kernel (?<initramfs>[^ )]+)\)|kernel-core-(?<core>\d\S*))$/.exec(
          component,
        );
        const release = findKernelRelease(match?.groups?.['initramfs'] ?? match?.groups?.['core'], arch);
        return release === undefined ? [] : [release];
      }),
  );
  return new Set(kernels).size === 1 ? kernels[0] : undefined;
}
