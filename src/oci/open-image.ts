import { OciError } from '../errors.ts';
import type { Cache } from '../io.ts';
import type { Repository } from '../registry/repository.ts';
import { type Arch, findArch } from './arch.ts';
import { type ImageConfig, MAX_CONFIG_BYTES, parseConfig } from './config.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, hexOf, isDigest } from './digest.ts';
import { choosePlatform, type ImageIndex, type ImageManifest, parseManifest } from './manifest.ts';
import type { RawManifest } from './manifest.ts';
import { formatReference, pinned } from './reference.ts';
import type { Tag } from './tag.ts';

/** The manifest of one image of one architecture. */
export interface FoundImage {
  /** Where it was found: its config and layers are read from here. */
  readonly repository: Repository;
  readonly manifest: ImageManifest;
  /** The manifest's bytes as they were served. */
  readonly raw: RawManifest;
  /** The index that led to the image, when the name was that of an index. */
  readonly index: ImageIndex | undefined;
}

/** One image of one architecture, with everything about it but its layers. */
export interface OpenedImage extends FoundImage {
  readonly config: ImageConfig;
}

/**
 * Opens an image: manifest, the right entry of an index, config. Costs one request each, and no layer.
 *
 * @param reference What to fetch, or a manifest or index of this repository that was fetched already.
 * @param arch The architecture to choose in an index, and that the config must then have. Undefined takes an image as
 *   it is, and an index only when it holds a single image.
 * @param cache Keeps what is named by digest, and so never changes: it then costs no request.
 * @throws {OciError} `PLATFORM_MISSING` when there is no image for `arch`, `MANIFEST_INVALID`, `CONFIG_INVALID`,
 *   `LIMIT_EXCEEDED`.
 * @throws {RegistryError} as the repository does.
 */
export async function openImage(
  repository: Repository,
  reference: Digest | Tag | RawManifest,
  arch: Arch | undefined,
  cache?: Cache,
): Promise<OpenedImage> {
  return withConfig(await findImage(repository, reference, arch, cache), arch, cache);
}

/**
 * The first half of `openImage`: the manifest, for callers that read layers while the config comes.
 *
 * @throws {OciError} `PLATFORM_MISSING`, `MANIFEST_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} as the repository does.
 */
export async function findImage(
  repository: Repository,
  reference: Digest | Tag | RawManifest,
  arch: Arch | undefined,
  cache?: Cache,
): Promise<FoundImage> {
  const first = typeof reference === 'string' ? await fetchManifest(repository, reference, cache) : reference;
  const manifest = parseManifest(first);
  if (manifest.kind === 'image') return { repository, raw: first, manifest, index: undefined };

  const { digest } = arch === undefined ? onlyImage(manifest, repository) : choosePlatform(manifest, arch);
  const raw = await fetchManifest(repository, digest, cache);
  const image = parseManifest(raw);
  if (image.kind === 'image') return { repository, raw, manifest: image, index: manifest };
  throw new OciError(
    'MANIFEST_INVALID',
    `Cannot open ${nameOf(repository, manifest.digest)}: its entry ${digest} is an index again`,
    { hint: 'Name the inner index by its digest.' },
  );
}

/**
 * The second half of `openImage`: the config, which must be for `arch`.
 *
 * @throws {OciError} `PLATFORM_MISSING`, `CONFIG_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} as the repository does.
 */
export async function withConfig(
  found: FoundImage,
  arch: Arch | undefined,
  cache?: Cache,
): Promise<OpenedImage> {
  const { repository, manifest } = found;
  const bytes = await remembered(cache, manifest.config.digest, () =>
    readSmallBlob(repository, manifest.config, MAX_CONFIG_BYTES),
  );
  const config = parseConfig(bytes);
  if (arch !== undefined && findArch(config.architecture) !== arch) {
    const actual = findArch(config.architecture) ?? (config.architecture || 'no architecture');
    throw new OciError(
      'PLATFORM_MISSING',
      `Cannot use ${nameOf(repository, manifest.digest)} for ${arch}: it is an image for ${actual}`,
      { hint: `Name the image of the ${arch} release, or a multi-architecture one.` },
    );
  }
  return { ...found, config };
}

/**
 * A manifest, from the cache when it is named by its digest and known.
 *
 * @throws {RegistryError} as the repository does.
 */
export async function fetchManifest(
  repository: Repository,
  reference: Digest | Tag,
  cache: Cache | undefined,
): Promise<RawManifest> {
  if (!isDigest(reference)) return repository.getManifest(reference);
  let mediaType = '';
  const bytes = await remembered(cache, reference, async () => {
    const raw = await repository.getManifest(reference);
    ({ mediaType } = raw);
    return raw.bytes;
  });
  return { digest: reference, mediaType, bytes };
}

/** Bytes by their digest. What the cache has is believed only when it hashes to that digest. */
async function remembered(
  cache: Cache | undefined,
  digest: Digest,
  fetch: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const key = `blob-v1-${hexOf(digest)}`;
  const known = await cache?.get(key);
  if (known !== undefined && digestOf(known) === digest) return known;
  const bytes = await fetch();
  await cache?.put(key, bytes);
  return bytes;
}

/**
 * All bytes of a small blob, checked against its digest.
 *
 * @param maxBytes More than this is refused before anything is asked for.
 * @throws {OciError} `LIMIT_EXCEEDED`.
 */
export async function readSmallBlob(
  repository: Repository,
  blob: Descriptor,
  maxBytes: number,
): Promise<Buffer> {
  if (blob.sizeBytes > maxBytes) {
    throw new OciError(
      'LIMIT_EXCEEDED',
      `Cannot read blob ${blob.digest}: it has ${blob.sizeBytes} bytes, the limit is ${maxBytes}`,
    );
  }
  const parts: Uint8Array[] = [];
  for await (const part of repository.readBlob(blob)) parts.push(part);
  return Buffer.concat(parts);
}

/** The images of an index; entries that describe other entries, such as attestations, are left out. */
export function imagesOf(index: ImageIndex): readonly Descriptor[] {
  return index.manifests.filter(({ platform }) => platform?.os !== 'unknown');
}

function onlyImage(index: ImageIndex, repository: Repository): Descriptor {
  const images = imagesOf(index);
  const [only] = images;
  if (only !== undefined && images.length === 1) return only;
  const platforms = images.map(({ platform }) => platform?.architecture ?? 'unnamed').join(', ');
  throw new OciError(
    'PLATFORM_MISSING',
    `Cannot choose an image in ${nameOf(repository, index.digest)}: it holds ${images.length}`,
    { hint: images.length === 0 ? undefined : `Say which architecture is wanted: ${platforms}.` },
  );
}

function nameOf(repository: Repository, digest: Digest): string {
  return formatReference(pinned(repository.reference, digest));
}
