import { formatReference, type Reference } from '../../src/oci/reference.ts';
import type { OpenedImage } from '../../src/oci/open-image.ts';
import type { ModuleInspection } from '../../src/sign/inspect-module.ts';
import { moduleData } from './module-text.ts';
import { formatSize } from './sizes.ts';
import { formatFields, formatTable } from './table.ts';

/** An image, and what our layer in it adds. */
export interface InspectedImage {
  /** By digest. */
  readonly reference: Reference;
  readonly image: OpenedImage;
  /** Undefined for an image that kmodlayer did not make. */
  readonly added:
    | {
        readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
        readonly modules: readonly { readonly path: string; readonly inspection: ModuleInspection }[];
      }
    | undefined;
}

/** Labels that say what an image is and what it was made from. */
export const KMODLAYER_LABEL = 'io.kmodlayer.';

/** An image as programs see it. */
export function imageData({ reference, image, added }: InspectedImage): Readonly<Record<string, unknown>> {
  const { manifest, config } = image;
  return {
    reference: formatReference(reference),
    digest: manifest.digest,
    mediaType: image.raw.mediaType,
    architecture: config.architecture,
    os: config.os,
    labels: config.labels,
    layers: manifest.layers.map(({ digest, mediaType, sizeBytes }) => ({ digest, mediaType, sizeBytes })),
    added:
      added === undefined
        ? null
        : {
            files: added.files,
            modules: added.modules.map(({ path, inspection }) => moduleData(path, inspection)),
          },
  };
}

/** An image as people see it. */
export function imageText({ reference, image, added }: InspectedImage): string {
  const { manifest, config } = image;
  const size = manifest.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const ours = Object.entries(config.labels)
    .filter(([label]) => label.startsWith(KMODLAYER_LABEL))
    .map(([label, value]) => [label.slice(KMODLAYER_LABEL.length), value] as const);
  const head = formatFields([
    ['image', formatReference(reference)],
    ['architecture', config.architecture],
    ['layers', `${manifest.layers.length}, ${formatSize(size)}`],
    ...ours,
  ]);
  if (added === undefined) return head;
  const modules = formatTable(
    ['MODULE', 'VERSION', 'SIGNED BY'],
    added.modules.map(({ inspection: { description, signature } }) => [
      description.name ?? '?',
      description.version ?? '',
      signature?.signers.map(({ signer, key }) => signer ?? key).join(', ') ?? 'unsigned',
    ]),
  );
  const files = formatTable(
    ['FILE', 'SIZE'],
    added.files.map(({ path, sizeBytes }) => [path, formatSize(sizeBytes)]),
  );
  return [head, modules, files].join('\n');
}
