import { OciError } from '../errors.ts';
import { type Arch, goArchOf } from './arch.ts';
import { type Descriptor, parseDescriptor, parseStrings, recordOf } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
import { parseJson } from './json.ts';
import { type Family, MEDIA_TYPES } from './media-type.ts';

/** Bytes of a manifest or an index as they were served, with the digest that we computed over them. */
export interface RawManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A manifest of one image. `json` holds every key as it came, known or not. */
export interface ImageManifest {
  readonly kind: 'image';
  readonly family: Family;
  readonly digest: Digest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A list of manifests, one for each platform. */
export interface ImageIndex {
  readonly kind: 'index';
  readonly family: Family;
  readonly digest: Digest;
  readonly manifests: readonly Descriptor[];
}

/** Largest manifest that is read: 4 MiB, the limit that registries keep too. */
export const MAX_MANIFEST_BYTES = 4 * 1024 ** 2;

const MAX_LAYERS = 1000;

/**
 * Reads a manifest or an index of either family. A missing `mediaType` is told from the content, as OCI allows.
 *
 * @param raw.mediaType The `Content-Type` of the answer or the descriptor's type; only a fallback.
 * @throws {OciError} `MANIFEST_INVALID`, schema 1 included, or `LIMIT_EXCEEDED`.
 * @see https://github.com/opencontainers/image-spec/blob/main/manifest.md
 */
export function parseManifest(raw: RawManifest): ImageManifest | ImageIndex {
  const json = parseObject(raw.bytes);
  if (json['schemaVersion'] !== 2) {
    throw new OciError('MANIFEST_INVALID', `Cannot read manifest ${raw.digest}: its schemaVersion is not 2`, {
      hint: 'Docker schema 1 images must be pushed again with a current tool.',
    });
  }
  const { mediaType, manifests, layers } = json;
  const family = familyOf(typeof mediaType === 'string' ? mediaType : raw.mediaType);
  const images = isType('manifest', mediaType) ? undefined : parseDescriptors(manifests, 'manifests');
  const blobs = isType('index', mediaType) ? undefined : parseDescriptors(layers, 'layers');
  if (images !== undefined && blobs === undefined) {
    return { kind: 'index', family, digest: raw.digest, manifests: images };
  }
  if (images !== undefined || blobs === undefined) {
    // Bytes that can be read as both would be one thing here and another thing on a node.
    const why =
      images === undefined ? 'is neither an image nor an index' : 'is an image and an index at once';
    throw new OciError('MANIFEST_INVALID', `Cannot read manifest ${raw.digest}: it ${why}`);
  }
  return {
    kind: 'image',
    family,
    digest: raw.digest,
    config: parseDescriptor(json['config'], 'config'),
    layers: blobs,
    annotations: json['annotations'] == null ? {} : parseStrings(json['annotations'], 'annotations'),
    json,
  };
}

/**
 * The entry of an index that is for an architecture.
 *
 * @throws {OciError} `PLATFORM_MISSING`, with the platforms that are there.
 */
export function choosePlatform(index: ImageIndex, arch: Arch): Descriptor {
  const found = index.manifests.find(
    ({ platform }) =>
      platform?.architecture === goArchOf(arch) && (platform.os === 'linux' || platform.os === ''),
  );
  if (found !== undefined) return found;
  const there = index.manifests.flatMap(({ platform }) =>
    platform ? [`${platform.os}/${platform.architecture}`] : [],
  );
  throw new OciError('PLATFORM_MISSING', `Cannot find linux/${goArchOf(arch)} in ${index.digest}`, {
    hint: there.length > 0 ? `It holds ${there.join(', ')}.` : 'Its entries name no platform.',
  });
}

/** Serialises a manifest once; the bytes are what is hashed and sent. */
export function rawManifest(json: Readonly<Record<string, unknown>>, mediaType: string): RawManifest {
  const bytes = Buffer.from(JSON.stringify(json));
  return { digest: digestOf(bytes), mediaType, bytes };
}

function familyOf(mediaType: string): Family {
  const type = mediaType.split(';')[0]?.trim();
  return type === MEDIA_TYPES.docker.manifest || type === MEDIA_TYPES.docker.index ? 'docker' : 'oci';
}

/** Says whether a manifest calls itself an index, or an image. */
function isType(kind: 'index' | 'manifest', mediaType: unknown): boolean {
  return mediaType === MEDIA_TYPES.oci[kind] || mediaType === MEDIA_TYPES.docker[kind];
}

/** Undefined for what is no list. */
function parseDescriptors(json: unknown, name: string): Descriptor[] | undefined {
  if (!Array.isArray(json)) return undefined;
  if (json.length > MAX_LAYERS)
    throw new OciError('LIMIT_EXCEEDED', `Cannot read a manifest with ${json.length} ${name}`);
  return json.map((entry: unknown, at) => parseDescriptor(entry, `${name}[${at}]`));
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new OciError(
      'LIMIT_EXCEEDED',
      `Cannot read a manifest of ${bytes.length} bytes: the limit is ${MAX_MANIFEST_BYTES}`,
    );
  }
  try {
    return recordOf(parseJson(bytes), 'manifest');
  } catch (error) {
    if (error instanceof OciError) throw error;
    throw new OciError('MANIFEST_INVALID', 'Cannot read a manifest: it is not JSON', { cause: error });
  }
}
