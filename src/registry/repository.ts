import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { RawManifest } from '../oci/manifest.ts';
import type { Reference } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';

/** How to read a blob. */
export interface ReadBlobOptions {
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  /**
   * Ask for only the first bytes (HTTP `Range`). A caller that got all it needs may also simply stop iterating, which
   * closes the connection. Bytes of a prefix are not verified against the digest; the full blob always is.
   */
  readonly firstBytes?: number;
}

/**
 * One image repository: the same calls over HTTP, on an `oci:` layout and on an `oci-archive:` file.
 * Every byte that is read to its end was checked against the digest and size that were asked for.
 */
export interface Repository {
  /** As users name it, without tag and digest; never holds credentials. */
  readonly reference: Reference;

  /**
   * Fetches a manifest or index and checks its digest.
   *
   * @throws {RegistryError} `NOT_FOUND`, `UNAUTHORIZED`, `FORBIDDEN`, `DIGEST_MISMATCH`, `UNEXPECTED_STATUS`, `UNREACHABLE`.
   */
  getManifest(reference: Digest | Tag): Promise<RawManifest>;

  /** The descriptor of a manifest that is there, or undefined. Costs one HEAD; the digest is the server's word. */
  findManifest(reference: Digest | Tag): Promise<{ readonly digest: Digest | undefined } | undefined>;

  /**
   * Streams a blob. Hash and size are checked when the last byte is delivered: the iteration then throws
   * `DIGEST_MISMATCH` or `SIZE_MISMATCH`. A connection that breaks is resumed where it broke.
   */
  readBlob(blob: Descriptor, options?: ReadBlobOptions): AsyncIterable<Uint8Array>;

  /** Says whether the blob is in this repository. */
  hasBlob(blob: Descriptor): Promise<boolean>;

  /** Links a blob of another repository of the same registry into this one, without moving bytes. False: not possible. */
  mountBlob(blob: Descriptor, from: Repository): Promise<boolean>;

  /**
   * Writes a blob. Called again from the start on a retry, so `content` must give the same bytes each time.
   * Writes nothing when the blob is there already.
   */
  writeBlob(blob: Descriptor, content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;

  /** Writes a manifest by digest, or under a tag. Its blobs must be there. */
  writeManifest(manifest: RawManifest, tag?: Tag): Promise<void>;

  /** Tags of the repository, in the server's order; at most `limit`. */
  listTags(limit: number): Promise<readonly string[]>;

  /**
   * What a name without tag and digest means here, as skopeo reads it: `latest` in a registry, the one manifest of a
   * layout or an archive; undefined when a layout has none or several.
   */
  defaultManifest(): Promise<Digest | Tag | undefined>;
}

/** Opens repositories: the one door to registries, layouts and archives. */
export interface Images {
  /**
   * Opens a repository. Reads go through mirrors, which are tried in order before the source; writes never do.
   *
   * @throws {RegistryError} `LAYOUT_INVALID` when a layout is there but broken.
   */
  open(reference: Reference, purpose: 'read' | 'write'): Promise<Repository>;
}
