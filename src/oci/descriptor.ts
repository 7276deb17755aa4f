import { OciError } from '../errors.ts';
import { parseDigest, type Digest } from './digest.ts';

/** Which machine an image in an index is for. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

/** Points at bytes: what they are, their digest, how many. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

/** Largest size that a descriptor may claim: 64 GiB. */
const MAX_SIZE_BYTES = 64 * 1024 ** 3;

/**
 * Reads a descriptor from parsed JSON.
 *
 * @param where Said in messages, for instance `layers[3]`.
 * @throws {OciError} `MANIFEST_INVALID` or `DIGEST_INVALID`.
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md
 */
export function parseDescriptor(json: unknown, where: string): Descriptor {
  const { mediaType, digest, size, annotations, platform } = recordOf(json, where);
  if (typeof mediaType !== 'string' || typeof digest !== 'string') {
    throw new OciError('MANIFEST_INVALID', `Cannot read ${where}: it lacks mediaType or digest`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > MAX_SIZE_BYTES) {
    throw new OciError('MANIFEST_INVALID', `Cannot read ${where}: its size is not a sane number of bytes`);
  }
  return {
    mediaType,
    digest: parseDigest(digest),
    sizeBytes: size,
    ...(annotations === undefined || annotations === null
      ? {}
      : { annotations: parseStrings(annotations, `${where}.annotations`) }),
    ...(platform === undefined || platform === null ? {} : { platform: parsePlatform(platform, where) }),
  };
}

/** The JSON form of a descriptor, as it stands in a manifest. */
export function descriptorJson(descriptor: Descriptor): Record<string, unknown> {
  const { mediaType, digest, sizeBytes, ...rest } = descriptor;
  return { mediaType, digest, size: sizeBytes, ...rest };
}

/** Reads a map of strings, such as labels or annotations. */
export function parseStrings(json: unknown, where: string): Record<string, string> {
  const entries = Object.entries(recordOf(json, where));
  for (const [key, value] of entries) {
    if (typeof value !== 'string')
      throw new OciError('MANIFEST_INVALID', `Cannot read ${where}: "${key}" is not a string`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Reads a JSON object. */
export function recordOf(json: unknown, where: string): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OciError('MANIFEST_INVALID', `Cannot read ${where}: it is not an object`);
  }
  return json as Record<string, unknown>;
}

function parsePlatform(json: unknown, where: string): Platform {
  const { architecture, os, variant } = recordOf(json, `${where}.platform`);
  return {
    architecture: typeof architecture === 'string' ? architecture : '',
    os: typeof os === 'string' ? os : '',
    ...(typeof variant === 'string' ? { variant } : {}),
  };
}
