import { OciError, RegistryError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES, type RawManifest } from '../oci/manifest.ts';
import { formatReference, type LayoutReference } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import { findEntry, withManifest } from './layout-index.ts';
import type { LayoutStore } from './layout-store.ts';
import { checkManifestBytes, mediaTypeOf } from './manifest-bytes.ts';
import type { Repository } from './repository.ts';
import { namingFailures } from './storage-failure.ts';
import { firstBytesOf, verified } from './verified.ts';

/** A repository in an OCI layout. */
export interface LayoutRepository extends Repository {
  readonly reference: LayoutReference;
  readonly store: LayoutStore;
  /** Writes manifests in one step, each under its tag or none: an archive is completed once for all of them. */
  writeManifests(
    list: readonly { readonly manifest: RawManifest; readonly tag: Tag | undefined }[],
  ): Promise<void>;
}

/** Says whether a repository is in an OCI layout. */
export function isLayoutRepository(repository: Repository): repository is LayoutRepository {
  return repository.reference.transport !== 'docker' && 'store' in repository;
}

/**
 * Opens the repository that an OCI layout is.
 *
 * @param signal Stops writing when aborted; what was begun is removed.
 */
export function layoutRepository(
  reference: LayoutReference,
  files: LayoutStore,
  signal: AbortSignal | undefined,
): LayoutRepository {
  const where = formatReference(reference);
  const store = namingFailures(where, files);
  const hasBlob = async (blob: Descriptor): Promise<boolean> =>
    (await store.findBlob(blob.digest)) === blob.sizeBytes;
  const writeBlob: Repository['writeBlob'] = async (blob, content) => {
    if (await hasBlob(blob)) return;
    await store.writeBlob(blob, verified(blob, untilAborted(content(), signal), 'what is written'));
  };
  const writeManifests: LayoutRepository['writeManifests'] = async (list) => {
    const entries = list.map(({ manifest, tag }) => {
      checkManifestBytes(manifest, where);
      const { digest, mediaType, bytes } = manifest;
      return { descriptor: { mediaType, digest, sizeBytes: bytes.length }, bytes, tag };
    });
    for (const { descriptor, bytes } of entries) await writeBlob(descriptor, () => [bytes]);
    signal?.throwIfAborted();
    await store.updateIndex((index) =>
      entries.reduce((made, { descriptor, tag }) => withManifest(made, descriptor, tag), index),
    );
  };

  return {
    reference,
    store,
    hasBlob,
    writeBlob,
    writeManifests,
    async getManifest(tagOrDigest) {
      const entry = findEntry(await store.readIndex(), tagOrDigest);
      const digest = entry?.descriptor.digest ?? (isDigest(tagOrDigest) ? tagOrDigest : undefined);
      const sizeBytes = digest === undefined ? undefined : await store.findBlob(digest);
      if (digest === undefined || sizeBytes === undefined) throw await notFound(where, tagOrDigest, store);
      const bytes = await readManifest(store, digest, sizeBytes, where);
      return { digest, mediaType: mediaTypeOf(bytes, entry?.descriptor.mediaType), bytes };
    },
    async findManifest(tagOrDigest) {
      const entry = findEntry(await store.readIndex(), tagOrDigest);
      const digest = entry?.descriptor.digest ?? (isDigest(tagOrDigest) ? tagOrDigest : undefined);
      if (digest === undefined || (await store.findBlob(digest)) === undefined) return undefined;
      return { digest };
    },
    async *readBlob(blob, options = {}) {
      const sizeBytes = await store.findBlob(blob.digest);
      if (sizeBytes === undefined) {
        throw new RegistryError('NOT_FOUND', `Cannot read blob ${blob.digest} of ${where}: it is not there`);
      }
      const chunks = untilAborted(store.openBlob(blob.digest), options.signal ?? signal);
      const { firstBytes } = options;
      yield* firstBytes !== undefined && firstBytes < blob.sizeBytes
        ? firstBytesOf(chunks, firstBytes)
        : verified(blob, chunks, where);
    },
    async mountBlob(blob, from) {
      if (await hasBlob(blob)) return true;
      if (!isLayoutRepository(from) || (await from.store.findBlob(blob.digest)) !== blob.sizeBytes)
        return false;
      return store.linkBlob(blob, from.store);
    },
    writeManifest: (manifest, tag) => writeManifests([{ manifest, tag }]),
    async listTags(limit) {
      const { entries } = await store.readIndex();
      return entries.flatMap(({ tag }) => (tag === undefined ? [] : [tag])).slice(0, limit);
    },
    async defaultManifest() {
      const digests = new Set((await store.readIndex()).entries.map(({ descriptor }) => descriptor.digest));
      const [only] = digests;
      return digests.size === 1 ? only : undefined;
    },
  };
}

async function readManifest(
  store: LayoutStore,
  digest: Digest,
  sizeBytes: number,
  where: string,
): Promise<Buffer> {
  if (sizeBytes > MAX_MANIFEST_BYTES) {
    throw new OciError(
      'LIMIT_EXCEEDED',
      `Cannot read manifest ${digest} of ${where}: it has ${sizeBytes} bytes, the limit is ${MAX_MANIFEST_BYTES}`,
    );
  }
  const parts: Uint8Array[] = [];
  for await (const part of firstBytesOf(store.openBlob(digest), MAX_MANIFEST_BYTES)) parts.push(part);
  const bytes = Buffer.concat(parts);
  const found = digestOf(bytes);
  if (found !== digest) {
    throw new RegistryError(
      'DIGEST_MISMATCH',
      `Cannot trust manifest ${digest} of ${where}: its bytes hash to ${found}`,
    );
  }
  return bytes;
}

async function notFound(where: string, tagOrDigest: string, store: LayoutStore): Promise<RegistryError> {
  const tags = (await store.readIndex()).entries.flatMap(({ tag }) => (tag === undefined ? [] : [tag]));
  const shown = tags.slice(0, 10).join(', ');
  return new RegistryError('NOT_FOUND', `Cannot find ${tagOrDigest} in ${where}: it is not there`, {
    hint:
      tags.length === 0 ? 'The layout has no tags.' : `It has ${shown}${tags.length > 10 ? ', ...' : ''}.`,
  });
}

async function* untilAborted(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
