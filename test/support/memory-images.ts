import { RegistryError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, isDigest, type Digest } from '../../src/oci/digest.ts';
import type { RawManifest } from '../../src/oci/manifest.ts';
import { formatReference, type Reference, unpinned } from '../../src/oci/reference.ts';
import { parseTag, type Tag } from '../../src/oci/tag.ts';
import type { Images, ReadBlobOptions, Repository } from '../../src/registry/repository.ts';

/** One call that a repository served. */
export interface Served {
  readonly call: 'getManifest' | 'findManifest' | 'readBlob' | 'listTags';
  readonly repository: string;
  readonly what: string;
  /** Bytes that the caller took. */
  bytes: number;
}

const CHUNK_BYTES = 16 * 1024;

/** Repositories in memory: a real `Images` without sockets and files, that counts what is asked of it. */
export class MemoryImages implements Images {
  readonly served: Served[] = [];
  readonly #repositories = new Map<string, MemoryRepository>();

  async open(reference: Reference): Promise<Repository> {
    return this.at(reference);
  }

  /** The repository of a name; empty when it is new. */
  at(reference: Reference): MemoryRepository {
    const place = unpinned(reference);
    const name = formatReference(place);
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const repository = new MemoryRepository(place, this.served);
    this.#repositories.set(name, repository);
    return repository;
  }
}

/** One repository in memory. */
export class MemoryRepository implements Repository {
  readonly reference: Reference;
  /** Set to make every call fail, as a registry does that wants other credentials. */
  failure: Error | undefined;
  readonly manifests = new Map<Digest, RawManifest>();
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly tags = new Map<string, Digest>();
  readonly #served: Served[];

  constructor(reference: Reference, served: Served[] = []) {
    this.reference = reference;
    this.#served = served;
  }

  /** Stores bytes as a blob. */
  addBlob(bytes: Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, sizeBytes: bytes.length };
  }

  async getManifest(reference: Digest | Tag): Promise<RawManifest> {
    const served = this.#note('getManifest', reference);
    const manifest = this.#lookUp(reference);
    if (manifest === undefined) {
      throw new RegistryError(
        'NOT_FOUND',
        `Cannot read ${formatReference(this.reference)} ${reference}: not found`,
        {
          status: 404,
        },
      );
    }
    served.bytes = manifest.bytes.length;
    return manifest;
  }

  async findManifest(reference: Digest | Tag): Promise<{ readonly digest: Digest } | undefined> {
    this.#note('findManifest', reference);
    const manifest = this.#lookUp(reference);
    return manifest === undefined ? undefined : { digest: manifest.digest };
  }

  async *readBlob(blob: Descriptor, options: ReadBlobOptions = {}): AsyncGenerator<Uint8Array> {
    const served = this.#note('readBlob', blob.digest);
    const bytes = this.blobs.get(blob.digest);
    if (bytes === undefined) {
      throw new RegistryError('BLOB_UNKNOWN', `Cannot read blob ${blob.digest}: not found`, { status: 404 });
    }
    const end = Math.min(bytes.length, options.firstBytes ?? bytes.length);
    for (let at = 0; at < end; at += CHUNK_BYTES) {
      options.signal?.throwIfAborted();
      const chunk = bytes.subarray(at, Math.min(end, at + CHUNK_BYTES));
      served.bytes += chunk.length;
      yield chunk;
    }
    if (end !== bytes.length) return;
    if (digestOf(bytes) !== blob.digest)
      throw new RegistryError('DIGEST_MISMATCH', `Cannot trust ${blob.digest}`);
    if (bytes.length !== blob.sizeBytes)
      throw new RegistryError('SIZE_MISMATCH', `Cannot trust ${blob.digest}`);
  }

  async hasBlob(blob: Descriptor): Promise<boolean> {
    return this.blobs.has(blob.digest);
  }

  async mountBlob(blob: Descriptor, from: Repository): Promise<boolean> {
    const bytes = from instanceof MemoryRepository ? from.blobs.get(blob.digest) : undefined;
    if (bytes !== undefined) this.blobs.set(blob.digest, bytes);
    return bytes !== undefined;
  }

  async writeBlob(
    blob: Descriptor,
    content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of content()) parts.push(part);
    const bytes = Buffer.concat(parts);
    if (digestOf(bytes) !== blob.digest)
      throw new RegistryError('DIGEST_MISMATCH', `Cannot write ${blob.digest}`);
    this.blobs.set(blob.digest, bytes);
  }

  async writeManifest(manifest: RawManifest, tag?: Tag): Promise<void> {
    this.manifests.set(manifest.digest, manifest);
    if (tag !== undefined) this.tags.set(tag, manifest.digest);
  }

  async listTags(limit: number): Promise<readonly string[]> {
    this.#note('listTags', String(limit));
    return [...this.tags.keys()].slice(0, limit);
  }

  async defaultManifest(): Promise<Digest | Tag | undefined> {
    const [only, second] = this.tags.values();
    return this.reference.transport === 'docker'
      ? parseTag('latest')
      : second === undefined
        ? only
        : undefined;
  }

  /** Gives a manifest that is there a name. */
  tag(name: string, digest: Digest): void {
    this.tags.set(parseTag(name), digest);
  }

  #lookUp(reference: Digest | Tag): RawManifest | undefined {
    const digest = isDigest(reference) ? reference : this.tags.get(reference);
    return digest === undefined ? undefined : this.manifests.get(digest);
  }

  #note(call: Served['call'], what: string): Served {
    const served: Served = { call, repository: formatReference(this.reference), what, bytes: 0 };
    this.#served.push(served);
    if (this.failure !== undefined) throw this.failure;
    return served;
  }
}
