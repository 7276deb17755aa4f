import { RegistryError } from '../errors.ts';
import { type Arch, findArch, goArchOf } from '../oci/arch.ts';
import { type Descriptor, descriptorJson } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type RawManifest, rawManifest } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-type.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';

/** An image of an index, whose manifest is in the repository. */
export interface IndexEntry {
  readonly arch: Arch;
  readonly manifest: RawManifest;
}

/**
 * Writes an index over images of several architectures under a tag. Entries of other architectures that the tag has
 * already stay: whoever builds one architecture alone takes the others from nobody.
 *
 * @returns The digest of the index, and whether it was there.
 * @throws {RegistryError} as the repository does; the tag is then as it was.
 */
export async function pushIndex(
  to: Repository,
  tag: Tag,
  entries: readonly IndexEntry[],
): Promise<{ readonly digest: Digest; readonly wasThere: boolean }> {
  const current = await findManifest(to, tag);
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
  const index = rawManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.oci.index,
      manifests: [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => descriptorJson(entry)),
    },
    MEDIA_TYPES.oci.index,
  );
  if (current?.digest === index.digest) return { digest: index.digest, wasThere: true };
  await to.writeManifest(index, tag);
  return { digest: index.digest, wasThere: false };
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
