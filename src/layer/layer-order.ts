import type { ImageConfig } from '../oci/config.ts';
import type { ImageManifest } from '../oci/manifest.ts';

/** The content of a layer as its image names it: component names, or the history text when there are none. */
export type ComponentNames = readonly string[] | undefined;

/**
 * What each layer holds, by the annotation `ostree.components` or, where a registry push has lost the annotations, by
 * the history of the config.
 *
 * @returns One entry for each layer; undefined where nothing is said (`N components`, an ordinary build step).
 * @see rpm-ostree, `container-encapsulate`: history texts join the names of up to five components with " and "
 */
export function componentsOf({
  manifest,
  config,
}: {
  manifest: ImageManifest;
  config: ImageConfig;
}): ComponentNames[] {
  const steps = config.history.filter(({ isEmpty }) => !isEmpty);
  return manifest.layers.map(({ annotations }, at) => {
    const components = annotations?.['ostree.components'];
    if (components !== undefined) return components.split(',');
    const text = steps[at]?.createdBy ?? '';
    if (text === '' || /^\d+ components$/.test(text)) return undefined;
    return text.split(' and ');
  });
}

/**
 * The order in which layers are looked into for the module indexes of the base, newest first where a newer layer can
 * hide an older one:
 *
 * 1. layers that were added to the encapsulated commit (after `ostree.final-diffid`), newest first;
 * 2. the chunk that holds what no package owns, which is where depmod's output goes;
 * 3. in case that nothing says which one that is: the other chunks, the last one first and then from large to small.
 *
 * In an image without an encapsulated commit, all layers from the newest on.
 */
export function indexLayerOrder(image: { manifest: ImageManifest; config: ImageConfig }): readonly number[] {
  const { manifest } = image;
  const final = finalLayer(image);
  const all = manifest.layers.map((_, at) => at);
  if (final < 0) return all.toReversed();
  const derived = all.slice(final + 1).toReversed();
  const components = componentsOf(image);
  const named = all.filter((at) => at <= final && isIndexChunk(components[at]));
  const sizeOf = (at: number): number => manifest.layers[at]?.sizeBytes ?? 0;
  // The first layer holds the commit and its directories, and no files.
  const chunks = all.slice(1, final).sort((a, b) => sizeOf(b) - sizeOf(a));
  return [...new Set([...derived, ...named.toReversed(), final, ...chunks])];
}

/**
 * The order in which layers are looked into for modules of the base: those that were added to the encapsulated commit,
 * newest first, since they can hide what it holds; its chunks, the kernel's first. In an image without an encapsulated
 * commit, all layers from the newest on.
 */
export function moduleLayerOrder(image: { manifest: ImageManifest; config: ImageConfig }): readonly number[] {
  const components = componentsOf(image);
  const isKernel = (at: number): boolean =>
    components[at]?.some((name) => /^kernel(?:-|$)/.test(name)) === true;
  const final = finalLayer(image);
  const order = image.manifest.layers.map((_, at) => at).toReversed();
  if (final < 0) return order;
  const chunks = order.filter((at) => at <= final);
  return [
    ...order.filter((at) => at > final),
    ...chunks.filter(isKernel),
    ...chunks.filter((at) => !isKernel(at)),
  ];
}

/** Index of the last layer of the encapsulated commit; -1 in an image without one. */
export function finalLayer({ manifest, config }: { manifest: ImageManifest; config: ImageConfig }): number {
  const finalDiffId = config.labels['ostree.final-diffid'];
  return config.diffIds.findIndex((diffId, at) => diffId === finalDiffId && at < manifest.layers.length);
}

function isIndexChunk(components: ComponentNames): boolean {
  return components?.some((name) => name.startsWith('rpmostree-unpackaged-content')) === true;
}
