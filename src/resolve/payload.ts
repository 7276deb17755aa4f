import { KmodError, ResolveError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { parseReference, type Reference, type RegistryReference } from '../oci/reference.ts';
import { type OpenShiftVersion, parseOpenShiftVersion } from '../spec/openshift-version.ts';

/** One image of a payload, as `image-references` has it. */
export interface Component {
  readonly name: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** `from.kind`: only `DockerImage` can be used. */
  readonly kind: string;
  /** `from.name`: a pullspec by digest. */
  readonly pullspec: string;
}

/** What a release image says about itself. */
export interface Payload {
  readonly version: OpenShiftVersion;
  /** True when its images are lists for several architectures. */
  readonly isMulti: boolean;
  readonly components: ReadonlyMap<string, Component>;
}

/** Largest file of a payload that is read: 16 MiB. The real ones have about 120 kB. */
export const MAX_PAYLOAD_FILE_BYTES = 16 * 1024 ** 2;

const MAX_COMPONENTS = 5000;

/**
 * Reads `release-manifests/image-references` and `release-metadata`.
 *
 * @throws {ResolveError} `PAYLOAD_INVALID`.
 */
export function parsePayload(imageReferences: Uint8Array, releaseMetadata: Uint8Array): Payload {
  const metadata = parseObject(releaseMetadata, 'release-metadata');
  return {
    version: parseVersion(metadata['version']),
    isMulti: objectOf(metadata['metadata'])?.['release.openshift.io/architecture'] === 'multi',
    components: parseImageReferences(imageReferences),
  };
}

/**
 * Reads `image-references`: an ImageStream with a tag for each image of the release.
 *
 * @throws {ResolveError} `PAYLOAD_INVALID`.
 */
export function parseImageReferences(bytes: Uint8Array): ReadonlyMap<string, Component> {
  const stream = parseObject(bytes, 'image-references');
  const tags = objectOf(stream['spec'])?.['tags'];
  if (stream['kind'] !== 'ImageStream' || !Array.isArray(tags)) {
    throw invalid('image-references is not an ImageStream with tags');
  }
  if (tags.length > MAX_COMPONENTS) throw invalid(`image-references names ${tags.length} images`);
  const components = new Map<string, Component>();
  for (const tag of tags as unknown[]) {
    const component = parseComponent(tag);
    if (components.has(component.name)) throw invalid(`image-references names ${component.name} twice`);
    components.set(component.name, component);
  }
  return components;
}

/**
 * Where an image of the payload is, by digest.
 *
 * @throws {ResolveError} `PAYLOAD_INVALID` for an image that is not pinned: nothing else says which bytes are meant.
 */
export function referenceOf({
  name,
  kind,
  pullspec,
}: Component): RegistryReference & { readonly digest: Digest } {
  const reference = kind === 'DockerImage' ? findReference(pullspec) : undefined;
  if (reference?.transport !== 'docker' || reference.digest === undefined) {
    throw invalid(`its image ${name} is not given by digest but as ${kind} ${JSON.stringify(pullspec)}`);
  }
  return { ...reference, digest: reference.digest };
}

function parseComponent(json: unknown): Component {
  const tag = objectOf(json);
  const from = objectOf(tag?.['from']);
  const { name } = tag ?? {};
  if (typeof name !== 'string' || name === '' || name.length > 253)
    throw invalid('image-references has an image without a name');
  return {
    name,
    annotations: new Map(
      Object.entries(objectOf(tag?.['annotations']) ?? {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
    kind: textOf(from?.['kind']),
    pullspec: textOf(from?.['name']),
  };
}

function parseVersion(version: unknown): OpenShiftVersion {
  try {
    return parseOpenShiftVersion(textOf(version));
  } catch (error) {
    throw invalid('release-metadata has no version', error);
  }
}

function findReference(pullspec: string): Reference | undefined {
  try {
    return parseReference(pullspec);
  } catch (error) {
    if (error instanceof KmodError) return undefined;
    throw error;
  }
}

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  if (bytes.length > MAX_PAYLOAD_FILE_BYTES) throw invalid(`${what} has ${bytes.length} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw invalid(`${what} is not JSON`, error);
  }
  const object = objectOf(json);
  if (object === undefined) throw invalid(`${what} is not an object`);
  return object;
}

function objectOf(json: unknown): Record<string, unknown> | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as Record<string, unknown>)
    : undefined;
}

function textOf(json: unknown): string {
  return typeof json === 'string' ? json.slice(0, 4096) : '';
}

function invalid(why: string, cause?: unknown): ResolveError {
  return new ResolveError('PAYLOAD_INVALID', `Cannot read the release payload: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Name a release image as "oc adm release new" or the release controller makes them.',
  });
}
