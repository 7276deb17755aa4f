import { OciError } from '../errors.ts';
import { type Arch, goArchOf } from './arch.ts';
import { type Descriptor, parseDescriptor, parseStrings, recordOf } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
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
  const json = parseJson(raw.bytes);
  if (json['schemaVersion'] !== 2) {
    throw new OciError('MANIFEST_INVALID', `Cannot read manifest ${raw.digest}: its schemaVersion is not 2`, {
      hint: 'Docker schema 1 images must be pushed again with a current tool.',
    });
  }
  const family = familyOf(typeof json['mediaType'] === 'string' ? json['mediaType'] : raw.mediaType);
  if (Array.isArray(json['manifests'])) {
    return {
      kind: 'index',
      family,
      digest: raw.digest,
      manifests: parseDescriptors(json['manifests'], 'manifests'),
    };
  }
  if (!Array.isArray(json['layers'])) {
    throw new OciError(
      'MANIFEST_INVALID',
      `Cannot read manifest ${raw.digest}: it has neither layers nor manifests`,
    );
  }
  return {
    kind: 'image',
    family,
    digest: raw.digest,
    config: parseDescriptor(json['config'], 'config'),
    layers: parseDescriptors(json['layers'], 'layers'),
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

function parseDescriptors(json: readonly unknown[], name: string): Descriptor[] {
  if (json.length > MAX_LAYERS)
    throw new OciError('LIMIT_EXCEEDED', `Cannot read a manifest with ${json.length} ${name}`);
  return json.map((entry, at) => parseDescriptor(entry, `${name}[${at}]`));
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new OciError(
      'LIMIT_EXCEEDED',
      `Cannot read a manifest of ${bytes.length} bytes: the limit is ${MAX_MANIFEST_BYTES}`,
    );
  }
  try {
    return recordOf(JSON.parse(Buffer.from(bytes).toString('utf8')), 'manifest');
  } catch (error) {
    if (error instanceof OciError) throw error;
    throw new OciError('MANIFEST_INVALID', 'Cannot read a manifest: it is not JSON', { cause: error });
  }
}
