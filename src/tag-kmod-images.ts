import type { BuiltKmodImage } from './build-kmod-image.ts';
import { RegistryError } from './errors.ts';
import type { Io } from './io.ts';
import type { Digest } from './oci/digest.ts';
import { parseManifest } from './oci/manifest.ts';
import { formatReference, pinned } from './oci/reference.ts';
import { type Tag, tagFrom } from './oci/tag.ts';
import type { KmodImageUnit } from './plan/plan.ts';
import { pushIndex } from './push/push-index.ts';
import type { Repository } from './registry/repository.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';
import type { KernelRelease } from './spec/kernel-release.ts';

/** A name of kmod images in their repository. */
export interface KmodTag {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly wasThere: boolean;
}

export interface KmodTags {
  /** Those of kernels first, then those of releases. */
  readonly tags: readonly KmodTag[];
  /** What nodes with a kernel pull, by digest: an image, or an index where architectures call their kernels the same. */
  readonly images: ReadonlyMap<KernelRelease, string>;
}

type BuiltForTags = Pick<BuiltKmodImage, 'unit' | 'manifest' | 'digest'>;

/**
 * Gives kmod images the names that nodes and people look for, when all of them are there: the kernel release, with `_`
 * for what no tag takes, as KMM and Day 1 units have it; and for each release an index over its architectures.
 *
 * @param planned All units of the build: they say which kernels and releases share a name.
 * @throws {RegistryError} as the repository does.
 */
export async function tagKmodImages(
  set: DriverSet,
  built: readonly BuiltForTags[],
  planned: readonly KmodImageUnit[],
  io: Pick<Io, 'images'>,
): Promise<KmodTags> {
  const { kmodImage } = set.publish;
  if (kmodImage === undefined || built.length === 0) return { tags: [], images: new Map() };
  const destination = referenceFrom(set.file, kmodImage);
  const to = await io.images.open(destination, 'write');
  const tags: KmodTag[] = [];
  const images = new Map<KernelRelease, string>();
  for (const [tag, group] of groupBy(built, ({ unit }) => [tagFrom(unit.kernel)])) {
    const isShared = planned.filter(({ kernel }) => tagFrom(kernel) === tag).length > 1;
    const named = await tagKernel(to, { tag, isShared }, group);
    tags.push(named);
    for (const { unit } of group) images.set(unit.kernel, formatReference(pinned(destination, named.digest)));
  }
  const aliasOf = aliasesOf(planned);
  for (const [tag, group] of groupBy(built, ({ unit }) =>
    unit.targets.map((target) => aliasOf(unit, target)),
  )) {
    const entries = group.map(({ unit, manifest }) => ({ arch: unit.arch, manifest }));
    tags.push({ tag, ...(await pushIndex(to, tag, entries)) });
  }
  return { tags, images };
}

async function tagKernel(
  to: Repository,
  { tag, isShared }: { readonly tag: Tag; readonly isShared: boolean },
  group: readonly BuiltForTags[],
): Promise<KmodTag> {
  const current = await findTag(to, tag);
  const entries = group.map(({ unit, manifest }) => ({ arch: unit.arch, manifest }));
  const [only] = group;
  // Another run may have put other architectures there.
  if (only === undefined || isShared || current?.isIndex === true)
    return { tag, ...(await pushIndex(to, tag, entries)) };
  if (current?.digest === only.digest) return { tag, digest: only.digest, wasThere: true };
  await to.writeManifest(only.manifest, tag);
  return { tag, digest: only.digest, wasThere: false };
}

async function findTag(
  to: Repository,
  tag: Tag,
): Promise<{ readonly digest: Digest; readonly isIndex: boolean } | undefined> {
  try {
    const raw = await to.getManifest(tag);
    return { digest: raw.digest, isIndex: parseManifest(raw).kind === 'index' };
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** A release by its version; with the stream where the build has several, and with the flavour of the kernel. */
function aliasesOf(
  planned: readonly KmodImageUnit[],
): (unit: KmodImageUnit, target: KmodImageUnit['target']) => Tag {
  const streams = new Map<string, Set<string>>();
  for (const { release, stream } of planned.flatMap(({ targets }) => targets)) {
    const known = streams.get(release.version) ?? new Set();
    streams.set(release.version, known.add(stream));
  }
  return ({ flavour }, { release, stream }) => {
    const isAmbiguous = (streams.get(release.version)?.size ?? 0) > 1;
    return tagFrom(
      [release.version, ...(isAmbiguous ? [stream] : []), ...(flavour === 'default' ? [] : [flavour])].join(
        '-',
      ),
    );
  };
}

/** Each item under each of its keys, in the order in which keys come. */
function groupBy<Item, Key>(
  items: readonly Item[],
  keysOf: (item: Item) => readonly Key[],
): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items)
    for (const key of new Set(keysOf(item))) groups.set(key, [...(groups.get(key) ?? []), item]);
  return groups;
}
