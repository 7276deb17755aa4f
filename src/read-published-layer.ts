import { createHash } from 'node:crypto';
import type { Descriptor } from './oci/descriptor.ts';
import { type Digest, makeHasher } from './oci/digest.ts';
import { unpackLimit } from './oci/layer-files.ts';
import { type LayerEntry, walkLayer } from './oci/layer-reader.ts';
import type { Repository } from './registry/repository.ts';

/** What is in a layer that somebody published as one of ours. */
export interface PublishedLayer {
  readonly descriptor: Descriptor;
  /** Digest of the tar inside. */
  readonly diffId: Digest;
  readonly entries: readonly LayerEntry[];
  /** SHA-256 of each regular file, by path. */
  readonly hashes: ReadonlyMap<string, string>;
  /** The files that were asked for, by path. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Entries of a layer: those of ours have some hundred, with all firmware of a distribution some thousand. */
const MAX_ENTRIES = 65_536;

/** Bytes of files that are held. */
const MAX_HELD_BYTES = 128 * 1024 ** 2;

/**
 * Reads a layer once, as a tar and not as what a node would make of it: what is there is judged entry by entry.
 *
 * @returns undefined for a layer that is larger than ours ever are.
 * @throws {OciError} `LAYER_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} as the repository does.
 */
export async function readPublishedLayer(
  repository: Repository,
  descriptor: Descriptor,
  wants: (path: string) => boolean,
): Promise<PublishedLayer | undefined> {
  const tar = makeHasher();
  const entries: LayerEntry[] = [];
  const hashes = new Map<string, string>();
  const files = new Map<string, Buffer>();
  let heldBytes = 0;
  const isTooLarge = (): boolean => entries.length > MAX_ENTRIES || heldBytes > MAX_HELD_BYTES;
  await walkLayer(repository.readBlob(descriptor), {
    maxBytes: unpackLimit(descriptor.sizeBytes),
    wants: () => true,
    onEntry: (entry) => entries.push(entry),
    onContent: ({ path }, bytes) => {
      hashes.set(path, createHash('sha256').update(bytes).digest('hex'));
      if (!wants(path)) return;
      heldBytes += bytes.length;
      files.set(path, Buffer.from(bytes));
    },
    onTarBytes: (bytes) => {
      tar.update(bytes);
    },
    isDone: isTooLarge,
  });
  return isTooLarge() ? undefined : { descriptor, diffId: tar.digest(), entries, hashes, files };
}
