import { RegistryError } from '../errors.ts';
import { type Arch, findArch, goArchOf } from '../oci/arch.ts';
import { type Descriptor, descriptorJson } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type RawManifest, rawManifest } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-type.ts';
import { formatReference, tagged } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';

/** An image of an index, whose manifest is in the repository. */
export interface IndexEntry {
  readonly arch: Arch;
  readonly manifest: RawManifest;
}

/** Times that an index is written when others write the same tag: each of them does it as often as there are of them. */
const MAX_WRITES = 10;

/**
 * Writes an index over images of several architectures under a tag. Entries of other architectures that the tag has
 * already stay: whoever builds one architecture alone takes the others from nobody. No registry can be told to write only
 * over what was read, so the tag is read again: what another run wrote meanwhile gets our entries, and the other way round.
 *
 * @returns The digest of the index, and whether it was there.
 * @throws {RegistryError} as the repository does; `STORAGE_FAILED` when the tag does not come to have the entries.
 */
export async function pushIndex(
  to: Repository,
  tag: Tag,
  entries: readonly IndexEntry[],
): Promise<{ readonly digest: Digest; readonly wasThere: boolean }> {
  for (let writes = 0; writes <= MAX_WRITES; writes++) {
    const current = await findManifest(to, tag);
    const index = withEntries(current, entries);
    if (current?.digest === index.digest) return { digest: index.digest, wasThere: writes === 0 };
    if (writes < MAX_WRITES) await to.writeManifest(index, tag);
  }
  throw new RegistryError(
    'STORAGE_FAILED',
    `Cannot put ${entries.map(({ arch }) => arch).join(', ')} into ${formatReference(tagged(to.reference, tag))}: other runs write over it each time`,
    { hint: 'Let other builds that write this tag end, and build again: what is done is kept.' },
  );
}

function withEntries(current: RawManifest | undefined, entries: readonly IndexEntry[]): RawManifest {
  const ours = entries.map(({ arch, manifest }): [Arch, Descriptor] => [
    arch,
    {
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      sizeBytes: manifest.bytes.length,
      platform: { architecture: goArchOf(arch), os: 'linux' },
    },
  ]);
  const all = new Map([...(current === undefined ? [] : entriesOf(current)), ...ours]);
  return rawManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.oci.index,
      manifests: [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => descriptorJson(entry)),
    },
    MEDIA_TYPES.oci.index,
  );
}

async function findManifest(to: Repository, tag: Tag): Promise<RawManifest | undefined> {
  try {
    return await to.getManifest(tag);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** What is no index of ours gives way. */
function entriesOf(raw: RawManifest): readonly [Arch, Descriptor][] {
  const manifest = parseManifest(raw);
  if (manifest.kind !== 'index') return [];
  return manifest.manifests.flatMap((entry): [Arch, Descriptor][] => {
    const arch = findArch(entry.platform?.architecture ?? '');
    return arch === undefined ? [] : [[arch, entry]];
  });
}
