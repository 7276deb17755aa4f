import { SpecError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { parseObjectName } from '../spec/object-name.ts';
import { makeArgumentReader, required } from './arguments.ts';
import { parseSubdomain } from './labels.ts';
import { parsePinnedImage } from './registry-image.ts';

export interface PinnedImageSetOptions {
  /** Name of the set, for instance `worker-ice`. */
  readonly name: string;
  /** MachineConfigPool whose nodes pull the images and keep them. */
  readonly pool: string;
  /** By digest, at most 500. */
  readonly images: readonly string[];
}

/** Images that the nodes of a pool pull at once, and that are not cleaned away. */
export interface PinnedImageSet {
  readonly apiVersion: 'machineconfiguration.openshift.io/v1';
  readonly kind: 'PinnedImageSet';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly pinnedImages: readonly { readonly name: string }[] };
}

const MAX_IMAGES = 500;

// The definition's own rule: a domain with a dot, and at most one namespace.
const PINNABLE =
  /^(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::[0-9]{2,5})?\/(?:[a-zA-Z0-9_-]{0,61}\/)?[a-zA-Z0-9_.-]*$/;

/**
 * Images for the nodes of a pool, pulled before anything asks for them.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makePinnedImageSet(options: PinnedImageSetOptions): PinnedImageSet {
  const read = makeArgumentReader('this PinnedImageSet');
  const given = read.object('', options, ['name', 'pool', 'images']);
  const name = read.text('name', given['name'], parseSubdomain);
  const pool = read.text('pool', given['pool'], parseObjectName);
  const images = new Set(
    read.list('images', given['images'], (at, item) => read.text(at, item, parsePinnableImage)),
  );
  const count = Array.isArray(given['images']) ? images.size : 1;
  if (count === 0) read.report('images', 'There are no images', 'Name at least one.');
  if (count > MAX_IMAGES) read.report('images', `There are ${count} images`, `Name at most ${MAX_IMAGES}.`);
  read.finish();
  return {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'PinnedImageSet',
    metadata: {
      name: required(name),
      labels: { 'machineconfiguration.openshift.io/role': required(pool) },
    },
    spec: { pinnedImages: [...images].map((image) => ({ name: image })) },
  };
}

function parsePinnableImage(text: string): string {
  const image = formatReference(parsePinnedImage(text));
  if (image.length <= 447 && PINNABLE.test(image.slice(0, image.indexOf('@')))) return image;
  throw new SpecError('VALUE_INVALID', `Cannot pin image ${text.slice(0, 200)}: its name has another form`, {
    hint: 'PinnedImageSets take DOMAIN[:PORT]/[NAMESPACE/]NAME@sha256:... with at most one namespace.',
  });
}
