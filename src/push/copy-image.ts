import { OciError, RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest, type RawManifest } from '../oci/manifest.ts';
import { formatReference, pinned } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';
import { type BlobSource, copyBlobs, findDigest, mountBlobs, withoutThoseIn } from './blobs.ts';

/** An image with all that its digest covers: an index is only whole with each of its images. */
export interface WholeImage {
  readonly root: RawManifest;
  /** The images of an index; empty when `root` is an image itself. */
  readonly children: readonly RawManifest[];
  /** Configs and layers, each once. */
  readonly blobs: readonly Descriptor[];
}

export interface CopyRequest {
  readonly image: WholeImage;
  readonly from: Repository;
  readonly to: Repository;
  readonly tag: Tag;
  /** Repositories of the target's registry that have blobs already, by digest. What is copied here is added. */
  readonly placed: Map<Digest, Repository>;
}

export interface Copied {
  readonly copiedBytes: number;
  /** True when the tag pointed to this very image before. */
  readonly wasThere: boolean;
}

/**
 * Reads the manifests of an image, and of an index those of all its images.
 *
 * @throws {OciError} `MANIFEST_INVALID`, `LIMIT_EXCEEDED`; {RegistryError} as the repository does.
 */
export async function readWholeImage(from: Repository, digest: Digest): Promise<WholeImage> {
  const root = await from.getManifest(digest);
  const manifest = parseManifest(root);
  const children: RawManifest[] = [];
  if (manifest.kind === 'index') {
    for (const entry of manifest.manifests) children.push(await from.getManifest(entry.digest));
  }
  const blobs = (manifest.kind === 'image' ? [root] : children).flatMap((raw) => {
    const image = parseManifest(raw);
    if (image.kind === 'image') return [image.config, ...image.layers];
    throw new OciError(
      'MANIFEST_INVALID',
      `Cannot copy ${formatReference(pinned(from.reference, digest))}: its entry ${raw.digest} is an index again`,
      { hint: 'Name the inner index by its digest.' },
    );
  });
  return { root, children, blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()] };
}

/**
 * Copies an image as it is: blobs that are missing, mounted where the registry has them elsewhere; the images of an index;
 * the tag last, in the same request as what it names. Interrupted and run again, it goes on with what is missing.
 *
 * @throws {RegistryError} as the repositories do; the tag is then as it was.
 */
export async function copyImage(request: CopyRequest, io: Pick<Io, 'report' | 'signal'>): Promise<Copied> {
  const { image, to, tag, placed } = request;
  const { root, children, blobs } = image;
  if ((await findDigest(to, tag)) === root.digest) {
    for (const { digest } of blobs) placed.set(digest, to);
    return { copiedBytes: 0, wasThere: true };
  }
  let copiedBytes = await writeBlobs(request, io);
  const writeManifests = async (): Promise<void> => {
    for (const child of children) await to.writeManifest(child);
    await to.writeManifest(root, tag);
  };
  try {
    await writeManifests();
  } catch (error) {
    if (!(error instanceof RegistryError && error.code === 'BLOB_UNKNOWN')) throw error;
    // A blob that was there when we asked may be gone when the manifest comes: all are provided again, once.
    io.report({ type: 'warning', message: `${error.message}; writing the missing blobs again` });
    copiedBytes += await writeBlobs({ ...request, placed: new Map() }, io);
    await writeManifests();
  }
  for (const { digest } of blobs) placed.set(digest, to);
  return { copiedBytes, wasThere: false };
}

async function writeBlobs(
  { image, from, to, placed }: CopyRequest,
  { report, signal }: Pick<Io, 'report' | 'signal'>,
): Promise<number> {
  const elsewhere = image.blobs.flatMap((blob): BlobSource[] => {
    const place = placed.get(blob.digest);
    return place === undefined ? [] : [{ blob, from: place }];
  });
  const unmounted = await mountBlobs(elsewhere, { to, signal, counts: { mountedBlobs: 0 } });
  const mounted = new Set(elsewhere.filter((source) => !unmounted.includes(source)).map(({ blob }) => blob));
  const absent = await withoutThoseIn(
    to,
    image.blobs.filter((blob) => !mounted.has(blob)).map((blob) => ({ blob, from })),
    signal,
  );
  const what = `${image.root.digest.slice(0, 19)} to ${formatReference(to.reference)}`;
  return copyBlobs(absent, { to, what, signal, report });
}
