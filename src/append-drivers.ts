import type { Io } from './io.ts';
import { type KmodProvenance, kmodProvenanceLabels } from './layer/kmod-provenance.ts';
import { type Provenance, provenanceLabels } from './layer/provenance.ts';
import { emptyImage } from './oci/empty-image.ts';
import { type AppendedImage, appendLayer, type NewLayer } from './oci/image.ts';
import type { OpenedImage } from './oci/open-image.ts';
import type { ImageUnit, KmodImageUnit } from './plan/plan.ts';
import type { DriverSet } from './spec/spec.ts';
import { createdAt } from './stages.ts';

/** A layer of drivers, and what it goes on. Its bytes are not looked at: digests say what is in it. */
export interface AppendDriversRequest<Unit, Made> {
  readonly set: Pick<DriverSet, 'name' | 'publish'>;
  readonly unit: Unit;
  readonly base: Pick<OpenedImage, 'manifest' | 'config'>;
  readonly layer: NewLayer;
  readonly provenance: Made;
}

/** The OS image of a release with the layer of a set. The same request gives the same bytes, on any machine. */
export function appendToOsImage(
  { set, unit, base, layer, provenance }: AppendDriversRequest<ImageUnit, Provenance>,
  { env }: Pick<Io, 'env'>,
): AppendedImage {
  return appendLayer({
    base,
    layer,
    labels: provenanceLabels(provenance, base.config.labels),
    layerAnnotations: base.manifest.layers.some(
      ({ annotations }) => annotations?.['ostree.components'] !== undefined,
    )
      ? { 'ostree.components': `kmodlayer-${set.name}` }
      : {},
    createdBy: createdBy(unit, unit.target.osImage.kernel),
    created: createdAt(base, env),
    // Other tools do not see images of the Docker family in a layout.
    ...(set.publish.osImage.transport === 'docker' ? {} : { family: 'oci' }),
  });
}

/** The base of kmod images with the layer of a set; without a base, an image that has that layer alone. */
export function appendToKmodBase(
  {
    unit,
    base,
    layer,
    provenance,
  }: Omit<AppendDriversRequest<KmodImageUnit, KmodProvenance>, 'base' | 'set'> & {
    readonly base: Pick<OpenedImage, 'manifest' | 'config'> | undefined;
  },
  { env }: Pick<Io, 'env'>,
): AppendedImage {
  const below = base ?? emptyImage(unit.arch);
  return appendLayer({
    base: below,
    layer,
    labels: kmodProvenanceLabels(provenance),
    layerAnnotations: {},
    createdBy: createdBy(unit, unit.kernel),
    created: createdAt(below, env),
    // An index over architectures holds images of one family.
    family: 'oci',
  });
}

function createdBy({ compiles }: Pick<ImageUnit, 'compiles'>, kernel: string): string {
  return `kmodlayer: ${compiles.map(({ driver }) => `${driver.name} ${driver.version}`).join(', ')} for ${kernel}`;
}
