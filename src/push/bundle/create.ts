import type { Io } from '../../io.ts';
import { ResolveError } from '../../errors.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { findImage } from '../../oci/open-image.ts';
import {
  formatReference,
  pinned,
  type Reference,
  type RegistryReference,
  unpinned,
} from '../../oci/reference.ts';
import { parseTag, type Tag, tagFrom } from '../../oci/tag.ts';
import type { LayoutRepository } from '../../registry/layout.ts';
import type { Repository } from '../../registry/repository.ts';
import { referenceOf } from '../../resolve/payload.ts';
import { readPayload } from '../../resolve/read-payload.ts';
import { readKeptSignatures } from '../../resolve/signatures/find-signatures.ts';
import type { Signatures } from '../../resolve/signatures/verification-policy.ts';
import type { Target } from '../../resolve/target.ts';
import { type BlobSource, copyBlobs, REQUESTS_AT_ONCE, runAll } from '../blobs.ts';
import { readWholeImage, type WholeImage } from '../copy-image.ts';
import { BUNDLE_TAG, bundleArtifact, type BundledImage } from './bundle-manifest.ts';

export interface BundleRequest {
  readonly targets: readonly Target[];
  /** Images besides, by digest or by tag; `latest` when by neither. */
  readonly images: readonly RegistryReference[];
}

export interface CreatedBundle {
  readonly images: readonly BundledImage[];
  /** Digests of the releases whose signatures go along. */
  readonly signed: readonly Digest[];
  /** Of everything in the archive, each blob once. */
  readonly sizeBytes: number;
}

/** What making a bundle needs of the outside world. */
export type BundleIo = Pick<Io, 'images' | 'cache' | 'report' | 'signal' | 'releaseTrust'>;

/** An image that goes into a bundle, and where it is read. */
interface Wanted extends Omit<BundledImage, 'source' | 'repository'> {
  readonly source: Reference;
  readonly from: Repository;
}

/**
 * Writes releases and images into an archive: of each release its payload, OS image, driver-toolkit and extensions. What
 * the payload names goes along whole, as its digest covers it: of a list, the images of all architectures. The archive
 * is put in its place at the very end.
 *
 * @throws {ResolveError} `PAYLOAD_INVALID`, `SIGNATURE_MISSING`, `SIGNATURE_INVALID`; {RegistryError} as repositories do.
 */
export async function createBundle(
  { targets, images }: BundleRequest,
  to: LayoutRepository,
  io: BundleIo,
): Promise<CreatedBundle> {
  const wanted = new Map<string, Wanted>();
  for (const found of [...(await Promise.all(targets.map((target) => imagesOfTarget(target, io)))).flat()])
    wanted.set(found.name, found);
  for (const image of images) {
    const found = await namedImage(image, io);
    wanted.set(found.name, found);
  }
  const list = [...wanted.values()];
  const signatures = await signaturesOf(targets, io);
  const whole = new Map<Tag, WholeImage>();
  await runAll(
    list.map(({ name, digest, from }) => async () => {
      whole.set(name, await readWholeImage(from, digest));
    }),
    { atOnce: REQUESTS_AT_ONCE, signal: io.signal },
  );

  const sources = new Map<Digest, BlobSource>();
  for (const { name, from } of list) {
    for (const blob of whole.get(name)?.blobs ?? []) sources.set(blob.digest, { blob, from });
  }
  const { report, signal } = io;
  const what = `${list.length} images to ${formatReference(to.reference)}`;
  const sizeBytes = await copyBlobs([...sources.values()], { to, what, signal, report });

  const bundled = withRepositories(list);
  const artifact = bundleArtifact({ images: bundled, signatures });
  for (const { descriptor, bytes } of artifact.blobs) await to.writeBlob(descriptor, () => [bytes]);
  await to.writeManifests([
    ...list.flatMap(({ name }) => {
      const { root, children } = whole.get(name) as WholeImage;
      return [...children.map((manifest) => ({ manifest, tag: undefined })), { manifest: root, tag: name }];
    }),
    { manifest: artifact.manifest, tag: BUNDLE_TAG },
  ]);
  return { images: bundled, signed: [...signatures.keys()], sizeBytes };
}

/** The payload knows images by the digests that nodes ask for; those of a target are of its architecture alone. */
async function imagesOfTarget(target: Target, io: BundleIo): Promise<readonly Wanted[]> {
  const { release, arch, osImage, driverToolkit, extensions } = target;
  const from = await io.images.open(release.reference, 'read');
  const payload = await readPayload(await findImage(from, release.digest, arch, io.cache), io);
  const name = tagFrom(`${release.version}-${arch}`);
  const parts = [osImage, driverToolkit, ...(extensions === undefined ? [] : [extensions])];
  return [
    { name, tag: name, digest: release.digest, source: release.reference, from, isTagged: true },
    ...(await Promise.all(
      parts.map(async (image): Promise<Wanted> => {
        const component = payload.components.get(image.name);
        if (component === undefined) {
          throw new ResolveError(
            'PAYLOAD_INVALID',
            `Cannot bundle release ${release.version}: its payload has no ${image.name}`,
            { hint: 'Write the lock file anew with "kmodlayer lock".' },
          );
        }
        const { digest } = referenceOf(component);
        const tag = tagFrom(`${name}-${image.name}`);
        return {
          ...{ name: tag, tag, digest, source: image.reference, isTagged: false },
          from: await io.images.open(pinned(image.location, digest), 'read'),
        };
      }),
    )),
  ];
}

async function namedImage(image: RegistryReference, io: BundleIo): Promise<Wanted> {
  const from = await io.images.open(image, 'read');
  const asked = image.digest ?? image.tag ?? parseTag('latest');
  const digest = image.digest ?? (await from.getManifest(asked)).digest;
  const short = hexOf(digest).slice(0, 12);
  const place = `${image.host}-${image.repository}`.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(-100);
  return {
    name: tagFrom(`${place}-${short}`),
    tag: image.digest === undefined ? (asked as Tag) : tagFrom(`digest-${short}`),
    ...{ digest, source: image, from, isTagged: image.digest === undefined },
  };
}

/** Repositories keep their paths below a prefix. Where two hosts have the same path, the host stands before it. */
function withRepositories(list: readonly Wanted[]): readonly BundledImage[] {
  const hosts = new Map<string, Set<string>>();
  for (const { source } of list) {
    if (source.transport !== 'docker') continue;
    hosts.set(source.repository, (hosts.get(source.repository) ?? new Set()).add(source.host));
  }
  return list.map(({ name, digest, source, tag, isTagged }) => {
    if (source.transport !== 'docker') {
      return { ...{ name, digest, tag }, source: undefined, repository: 'releases', isTagged: false };
    }
    const isShared = (hosts.get(source.repository)?.size ?? 0) > 1;
    const host = source.host.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '');
    return {
      ...{ name, digest, tag, isTagged },
      source: unpinned(source) as RegistryReference,
      repository: isShared ? `${host}/${source.repository}` : source.repository,
    };
  });
}

/** Verified signatures: they are kept then. Releases of a lock file may not have been verified on this machine. */
async function signaturesOf(targets: readonly Target[], io: BundleIo): Promise<Signatures> {
  const signatures = new Map<Digest, readonly Uint8Array[]>();
  const releases = new Map(targets.map(({ release }) => [release.digest, release]));
  for (const { digest, reference, version, signedBy } of releases.values()) {
    let found = await readKeptSignatures(digest, io);
    if (found.length === 0) {
      try {
        await io.releaseTrust.verify({ reference: unpinned(reference), digest });
      } catch (error) {
        // What was verified once may have been so as a part of a list that was signed as a whole.
        const isMissing = error instanceof ResolveError && error.code === 'SIGNATURE_MISSING';
        if (!isMissing || signedBy === undefined) throw error;
        const message = `no signature of release ${version} goes along: ${error.message}`;
        io.report({ type: 'warning', message });
      }
      found = await readKeptSignatures(digest, io);
    }
    if (found.length > 0) signatures.set(digest, found);
  }
  return signatures;
}
