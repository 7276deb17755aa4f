import type { Arch } from '../oci/arch.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import { type KernelRelease } from '../spec/kernel-release.ts';
import { findKernelRelease } from './kernel-name.ts';
import { findInLayer, learn, type LayerSource } from './layer-search.ts';

/**
 * Files that stand only beside a kernel that can boot. Directories of other kernels, with a few modules in them, are
 * allowed in an OS image and say nothing.
 */
const OF_A_KERNEL =
  /^usr\/lib\/modules\/(?<kernel>[^/]+)\/(?:vmlinuz|initramfs\.img|System\.map|config|modules\.builtin|modules\.order)$/;
const DIRECTORY = /^usr\/lib\/modules\/(?<kernel>[^/]+)$/;

/** Names of chunks and components that hold a part of the kernel. */
const KERNEL_CHUNK = /(?:^|[ ,])(?:kernel(?:-core|-modules|-modules-core)?(?=[-, ]|$)|initramfs(?=[ ,]|$))/;

/**
 * Layers that were added to the encapsulated commit, newest first. An image without `ostree.final-diffid` has no such
 * commit; nothing in it can be told apart, so it has none.
 */
export function derivedLayers({ manifest, config }: OpenedImage): readonly Descriptor[] {
  const final = finalLayer(config);
  return final < 0 ? [] : manifest.layers.slice(final + 1).toReversed();
}

/**
 * The order in which layers are looked into for the kernel: those that were added, newest first; those that are named
 * after the kernel; the last chunk; the others from large to small. An image without an encapsulated commit is looked
 * through from its newest layer on, since any layer may hide an older one.
 */
export function kernelLayerOrder(image: OpenedImage): readonly Descriptor[] {
  const { manifest, config } = image;
  const final = finalLayer(config);
  const steps = config.history.filter(({ isEmpty }) => !isEmpty);
  const isNamed = (layer: Descriptor): boolean => {
    const at = manifest.layers.indexOf(layer);
    return KERNEL_CHUNK.test(
      layer.annotations?.['ostree.components'] ?? steps[at]?.createdBy.slice(0, 4096) ?? '',
    );
  };
  const derived = derivedLayers(image);
  const rest =
    final < 0
      ? manifest.layers.toReversed()
      : manifest.layers.slice(1, final).toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const last = final < 0 ? [] : manifest.layers.slice(final, final + 1);
  return [...new Set([...derived, ...rest.filter(isNamed), ...last, ...rest])];
}

/** The kernel that a layer brings; undefined when it brings none. */
export async function kernelOfLayer(
  source: LayerSource,
  layer: Descriptor,
  arch: Arch,
): Promise<KernelRelease | undefined> {
  const name = await learn(source, { topic: `kernel-v1-${arch}`, layer }, async () => {
    const { value, isWhole } = await findInLayer(source, layer, ({ path }) =>
      findKernelRelease(OF_A_KERNEL.exec(path)?.groups?.['kernel'], arch),
    );
    return { value: value ?? '', isWhole };
  });
  return findKernelRelease(name, arch);
}

/**
 * The kernel whose directory the first layer of an encapsulated commit lists: that layer is small and has every
 * directory of the image. Undefined when it lists none, or more than one.
 */
export async function kernelOfCommit(
  source: LayerSource,
  { manifest, config }: OpenedImage,
  arch: Arch,
): Promise<KernelRelease | undefined> {
  const layer = manifest.layers[0];
  if (layer === undefined || finalLayer(config) < 1) return undefined;
  const names = await learn(source, { topic: `module-directories-v1-${arch}`, layer }, async () => {
    const kernels = new Set<KernelRelease>();
    const { isWhole } = await findInLayer(source, layer, ({ path, type }) => {
      const kernel =
        type === 'directory' ? findKernelRelease(DIRECTORY.exec(path)?.groups?.['kernel'], arch) : undefined;
      if (kernel !== undefined) kernels.add(kernel);
      return kernels.size > 1 ? kernels : undefined;
    });
    return { value: [...kernels].join('\n'), isWhole };
  });
  return findKernelRelease(names, arch);
}

function finalLayer(config: OpenedImage['config']): number {
  const finalDiffId = config.labels['ostree.final-diffid'];
  return config.diffIds.findIndex((diffId) => diffId === finalDiffId);
}
