import { OciError, RegistryError, ResolveError } from '../errors.ts';
import type { Io, ReleaseSigner } from '../io.ts';
import { type Arch, ARCHES, findArch } from '../oci/arch.ts';
import { parseManifest, type RawManifest } from '../oci/manifest.ts';
import { fetchManifest, findImage, type FoundImage, imagesOf, openImage } from '../oci/open-image.ts';
import { formatReference, pinned, type Reference, tagged } from '../oci/reference.ts';
import { parseTag, type Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import { nearestReleases } from './nearest-releases.ts';
import type { Payload } from './payload.ts';
import { readPayload } from './read-payload.ts';
import {
  defaultRepository,
  parseReleaseName,
  RELEASE_REPOSITORY,
  type ReleaseName,
  type ReleaseTag,
  requireLayering,
  tagsOf,
} from './release-reference.ts';

/** A release image of one architecture with what it says about itself. */
export interface OpenedRelease {
  readonly arch: Arch;
  readonly image: FoundImage;
  /** The release image by the name that the user gave, pinned to the image for `arch`. */
  readonly reference: Reference;
  readonly payload: Payload;
  /** Who signed it; undefined when that was not verified. */
  readonly signer: ReleaseSigner | undefined;
}

/** Which release, and for which architectures. */
export interface OpenReleaseRequest {
  readonly release: string;
  /** The version that the payload must have; that of `release` where that names one. */
  readonly version?: OpenShiftVersion | undefined;
  readonly arches?: readonly Arch[] | undefined;
  readonly releaseRepository?: Reference | undefined;
}

/** What resolving needs of the outside world. */
export type ResolveIo = Pick<Io, 'images' | 'cache' | 'report' | 'signal' | 'releaseTrust'>;

/**
 * Opens a release for each architecture: the ones asked for; else those that an image has, and x86_64 for a version.
 *
 * @throws {ResolveError} `RELEASE_UNKNOWN`, `RELEASE_INVALID`, `ARCH_UNSUPPORTED`, `PAYLOAD_INVALID`.
 */
export async function openReleases(
  request: OpenReleaseRequest,
  io: ResolveIo,
): Promise<readonly OpenedRelease[]> {
  const name = parseReleaseName(request.release, request.releaseRepository ?? RELEASE_REPOSITORY);
  const { repository, sources } =
    name.kind === 'version' ? await findByVersion(name, request, io) : await findByImage(name, request, io);
  return Promise.all(
    sources.map(async ({ arch, raw }): Promise<OpenedRelease> => {
      const { signer, image, payload } = await forArch(
        { arch, what: `release ${request.release}` },
        async () => {
          const image = await findImage(repository, raw, arch, io.cache);
          const [signer, payload] = await Promise.all([
            io.releaseTrust.verify({ reference: repository.reference, digest: raw.digest }),
            readPayload(image, io),
          ]);
          return { signer, image, payload };
        },
      );
      requireVersion(request.version ?? (name.kind === 'version' ? name.version : undefined), payload, image);
      requireLayering(payload.version);
      return { arch, image, reference: pinned(repository.reference, image.manifest.digest), payload, signer };
    }),
  );
}

/**
 * Does something that needs an image for an architecture.
 *
 * @param what Said in the message: `release 4.18.4`.
 * @throws {ResolveError} `ARCH_UNSUPPORTED` when there is none.
 */
export async function forArch<T>(
  { arch, what }: { readonly arch: Arch; readonly what: string },
  use: () => T | Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof OciError) || error.code !== 'PLATFORM_MISSING') throw error;
    throw new ResolveError('ARCH_UNSUPPORTED', `Cannot use ${what} on ${arch}: ${error.message}`, {
      cause: error,
      hint: error.hint,
    });
  }
}

interface Sources {
  readonly repository: Repository;
  /** The manifest, or the list, of each architecture. */
  readonly sources: readonly { readonly arch: Arch; readonly raw: RawManifest }[];
}

async function findByVersion(name: ReleaseTag, request: OpenReleaseRequest, io: ResolveIo): Promise<Sources> {
  requireLayering(name.version);
  const repository = await io.images.open(
    request.releaseRepository ?? defaultRepository(name.version),
    'read',
  );
  const fetched = new Map<Tag, Promise<RawManifest | undefined>>();
  const fetch = (tag: Tag): Promise<RawManifest | undefined> => {
    const manifest = fetched.get(tag) ?? findManifest(repository, tag);
    fetched.set(tag, manifest);
    return manifest;
  };
  const arches = await archesOfVersion(name, request, fetch);
  const sources = await Promise.all(
    arches.map(async (arch) => {
      for (const tag of tagsOf(name, arch)) {
        const raw = await fetch(tag);
        if (raw !== undefined) return { arch, raw };
      }
      throw await releaseUnknown(repository, name, arch);
    }),
  );
  return { repository, sources };
}

async function archesOfVersion(
  name: ReleaseTag,
  { release, arches }: OpenReleaseRequest,
  fetch: (tag: Tag) => Promise<RawManifest | undefined>,
): Promise<readonly Arch[]> {
  if (name.arch !== undefined) {
    const other = arches?.find((arch) => arch !== name.arch);
    if (other === undefined) return [name.arch];
    throw new ResolveError(
      'ARCH_UNSUPPORTED',
      `Cannot use release ${release} on ${other}: its name says ${name.arch}`,
      {
        hint: `Write the version alone, ${name.version}, to choose the architecture by other means.`,
      },
    );
  }
  if (arches !== undefined) return unique(arches);
  const list = name.isMulti ? await fetch(parseTag(`${name.version}-multi`)) : undefined;
  return list === undefined ? ['x86_64'] : archesOf(list, ['x86_64']);
}

async function findByImage(
  { reference }: Extract<ReleaseName, { kind: 'image' }>,
  { release, arches }: OpenReleaseRequest,
  io: ResolveIo,
): Promise<Sources> {
  const repository = await io.images.open(reference, 'read');
  const raw = await fetchManifest(
    repository,
    reference.digest ?? reference.tag ?? (await onlyTag(repository, release)),
    io.cache,
  );
  if (arches !== undefined) return { repository, sources: unique(arches).map((arch) => ({ arch, raw })) };
  const manifest = parseManifest(raw);
  if (manifest.kind === 'index') {
    return { repository, sources: archesOf(raw, []).map((arch) => ({ arch, raw })) };
  }
  const { config } = await openImage(repository, raw, undefined, io.cache);
  const arch = findArch(config.architecture);
  if (arch !== undefined) return { repository, sources: [{ arch, raw }] };
  throw new ResolveError(
    'ARCH_UNSUPPORTED',
    `Cannot use release ${release}: it is an image for ${JSON.stringify(config.architecture)}`,
    { hint: `OpenShift runs on ${ARCHES.join(', ')}.` },
  );
}

/** A layout that holds one named image need not be told its name. */
async function onlyTag(repository: Repository, release: string): Promise<Tag> {
  const tags = repository.reference.transport === 'docker' ? [] : await repository.listTags(20);
  const [only] = tags;
  if (only !== undefined && tags.length === 1) return parseTag(only);
  throw new ResolveError(
    'RELEASE_INVALID',
    `Cannot use release ${JSON.stringify(release.slice(0, 200))}: it names neither a tag nor a digest`,
    {
      hint:
        tags.length > 1
          ? `Name one of its images: ${tags.map((tag) => `${release}:${tag}`).join(', ')}.`
          : 'Write the tag or the digest of the release image.',
    },
  );
}

async function findManifest(repository: Repository, tag: Tag): Promise<RawManifest | undefined> {
  try {
    return await repository.getManifest(tag);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Architectures of a list in the order in which they are shown. */
function archesOf(raw: RawManifest, ifNone: readonly Arch[]): readonly Arch[] {
  const manifest = parseManifest(raw);
  if (manifest.kind === 'image') return ifNone;
  const there = imagesOf(manifest).map(({ platform }) => findArch(platform?.architecture ?? ''));
  const arches = ARCHES.filter((arch) => there.includes(arch));
  if (arches.length > 0) return arches;
  throw new ResolveError(
    'ARCH_UNSUPPORTED',
    `Cannot use release list ${raw.digest}: it names no architecture`,
    {
      hint: `OpenShift runs on ${ARCHES.join(', ')}.`,
    },
  );
}

async function releaseUnknown(repository: Repository, name: ReleaseTag, arch: Arch): Promise<ResolveError> {
  const nearest = await nearestReleases(repository, { version: name.version, isMulti: name.isMulti, arch });
  const tried = tagsOf(name, arch).map((tag) => formatReference(tagged(repository.reference, tag)));
  return new ResolveError(
    'RELEASE_UNKNOWN',
    `Cannot find release ${name.version} for ${name.isMulti ? 'multi' : arch}: there is no ${tried.join(', ')}`,
    {
      hint:
        nearest.length > 0
          ? `The nearest releases there are ${nearest.join(', ')}.`
          : 'Check the version, or name the repository that holds it with --release-repository.',
    },
  );
}

/** A tag can be moved and a graph can err, the payload cannot lie about itself. */
function requireVersion(version: OpenShiftVersion | undefined, payload: Payload, image: FoundImage): void {
  if (version === undefined || version === payload.version) return;
  const found = formatReference(pinned(image.repository.reference, image.manifest.digest));
  throw new ResolveError(
    'PAYLOAD_INVALID',
    `Cannot use ${found} as release ${version}: its payload says ${payload.version}`,
    { hint: 'The tag was moved: name the release by its digest.' },
  );
}

function unique(arches: readonly Arch[]): readonly Arch[] {
  return [...new Set(arches)];
}
