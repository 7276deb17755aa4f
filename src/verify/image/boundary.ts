import { finalLayer } from '../../layer/layer-order.ts';
import type { ImageConfig } from '../../oci/config.ts';
import type { ImageManifest } from '../../oci/manifest.ts';

type Image = { readonly manifest: ImageManifest; readonly config: ImageConfig };

/** Where the base of an image ends. */
export interface Boundary {
  /** The base has so many layers; those that follow were added. */
  readonly baseLayers: number;
  /**
   * What says so: the user's base, the user's count, the build's history, or the last layer of the commit; `whole` for an
   * image that stands on nothing.
   */
  readonly foundBy: 'base' | 'count' | 'history' | 'final-diffid' | 'whole';
}

export interface BoundaryOptions {
  /** Image that it was built on, where the user names it. */
  readonly base?: Image | undefined;
  /** Number of layers that were added, where the user says it. */
  readonly layers?: number | undefined;
}

/** How the layer of a build of ours begins in the history. */
const OUR_STEP = 'kmodlayer: ';

/** The last step of a node image: the layer before it describes its packages. */
const LAST_NODE_STEP = /\bLABEL io\.openshift\.metalayer=["']?true\b/;

/**
 * Finds out which layers of an image were added to an OS image: what the user says counts most, then the history, which
 * tells the layers of OpenShift's own node image from those that came later, then `ostree.final-diffid`.
 *
 * @returns Undefined when the image was not built on `base`, or nothing says where its base ends.
 */
export function findBoundary(image: Image, { base, layers }: BoundaryOptions = {}): Boundary | undefined {
  const count = image.manifest.layers.length;
  if (base !== undefined) {
    const isBelow =
      base.config.diffIds.length > 0 &&
      base.config.diffIds.every((id, at) => image.config.diffIds[at] === id);
    return isBelow ? { baseLayers: base.config.diffIds.length, foundBy: 'base' } : undefined;
  }
  const final = finalLayer(image);
  // What belongs to the commit was not added, whatever the count.
  if (layers !== undefined) return { baseLayers: Math.max(final + 1, count - layers), foundBy: 'count' };
  const step = lastStepOfBase(image.config);
  if (step !== undefined && step > final && step <= count) return { baseLayers: step, foundBy: 'history' };
  return final < 0 ? undefined : { baseLayers: final + 1, foundBy: 'final-diffid' };
}

/** How many layers the history gives to the base; undefined when it does not say. */
function lastStepOfBase({ history }: ImageConfig): number | undefined {
  let layers = 0;
  let found: number | undefined;
  for (const { createdBy, isEmpty } of history) {
    if (createdBy.startsWith(OUR_STEP)) return layers;
    if (!isEmpty) layers += 1;
    if (LAST_NODE_STEP.test(createdBy)) found = layers;
  }
  return found;
}

/** An image cut off after its first layers: what the rest was built on. */
export function baseOf<I extends Image>(image: I, { baseLayers }: Pick<Boundary, 'baseLayers'>): I {
  const { manifest, config } = image;
  // Builds say that their own layer is last; in the base it is the one that describes the packages.
  const isDescribed = config.history.some(({ createdBy }) => LAST_NODE_STEP.test(createdBy));
  return {
    ...image,
    manifest: { ...manifest, layers: manifest.layers.slice(0, baseLayers) },
    config: {
      ...config,
      labels: isDescribed ? { ...config.labels, 'io.openshift.metalayer': 'true' } : config.labels,
      diffIds: config.diffIds.slice(0, baseLayers),
      history: config.history.filter(({ isEmpty }) => !isEmpty).slice(0, baseLayers),
    },
  };
}
