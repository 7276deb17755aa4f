import pLimit from 'p-limit';
import { RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { AppendedImage } from '../oci/image.ts';
import { formatReference } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';

export interface PushRequest {
  readonly image: AppendedImage;
  /** Where the base's layers are. */
  readonly base: Repository;
  readonly to: Repository;
  readonly tag: Tag;
}

export interface Pushed {
  readonly digest: Digest;
  /** Bytes of the base that had to be copied through this machine; 0 in the usual case. */
  readonly copiedBytes: number;
  readonly mountedBlobs: number;
  /** True when the tag pointed to this very image before. */
  readonly wasThere: boolean;
}

/** Requests in flight; registries limit more by address. */
const CONCURRENCY = 8;
const COPIES = 4;

/**
 * Pushes an image: the base's layers are mounted or, where that cannot be, streamed from registry to registry; then our
 * layer and config; then the manifest; the tag is last, in the same request as the manifest.
 *
 * @throws {RegistryError} as the repositories do; the tag is then as it was.
 */
export async function push(
  { image, base, to, tag }: PushRequest,
  io: Pick<Io, 'report' | 'signal'>,
): Promise<Pushed> {
  if ((await findDigest(to, tag)) === image.manifest.digest) {
    return { digest: image.manifest.digest, copiedBytes: 0, mountedBlobs: 0, wasThere: true };
  }
  const provided = provideBase({ image, base, to }, io);
  const own = [image.layer, image.config].map(({ descriptor, bytes }) =>
    to.writeBlob(descriptor, () => [bytes]),
  );
  await settled([provided, ...own]);
  await writeManifest({ image, base, to, tag }, io);
  return { digest: image.manifest.digest, wasThere: false, ...(await provided) };
}

/** A blob that was there when we asked may be gone when the manifest comes: then the base is provided again, once. */
async function writeManifest(request: PushRequest, io: Pick<Io, 'report' | 'signal'>): Promise<void> {
  const { image, to, tag } = request;
  try {
    await to.writeManifest(image.manifest, tag);
  } catch (error) {
    if (!(error instanceof RegistryError && error.code === 'BLOB_UNKNOWN')) throw error;
    io.report({ type: 'warning', message: `${error.message}; writing the missing blobs again` });
    await provideBase(request, io);
    for (const { descriptor, bytes } of [image.layer, image.config])
      await to.writeBlob(descriptor, () => [bytes]);
    await to.writeManifest(image.manifest, tag);
  }
}

async function provideBase(
  { image, base, to }: Omit<PushRequest, 'tag'>,
  io: Pick<Io, 'report' | 'signal'>,
): Promise<Pick<Pushed, 'copiedBytes' | 'mountedBlobs'>> {
  if (formatReference(base.reference) === formatReference(to.reference))
    return { copiedBytes: 0, mountedBlobs: 0 };
  const layers = [...new Map(image.baseLayers.map((layer) => [layer.digest, layer])).values()];
  const limit = pLimit(CONCURRENCY);
  // Mounting without asking first saves a request for each layer; it also succeeds when the blob is there already.
  const missing: Descriptor[] = [];
  let mountedBlobs = 0;
  await settled(
    layers.map((layer) =>
      limit(async () => {
        io.signal.throwIfAborted();
        if (await to.mountBlob(layer, base)) mountedBlobs++;
        else if (!(await to.hasBlob(layer))) missing.push(layer);
      }),
    ),
  );
  return { mountedBlobs, copiedBytes: await copyBlobs(missing, { base, to }, io) };
}

/** Streams blobs from one repository to another: nothing is kept on this machine. */
async function copyBlobs(
  blobs: readonly Descriptor[],
  { base, to }: { base: Repository; to: Repository },
  io: Pick<Io, 'report' | 'signal'>,
): Promise<number> {
  const sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  if (sizeBytes === 0) return 0;
  const what = `layers of the base to ${formatReference(to.reference)}`;
  io.report({ type: 'transfer-planned', what, blobs: blobs.length, sizeBytes });
  let doneBytes = 0;
  const limit = pLimit(COPIES);
  await settled(
    blobs.map((blob) =>
      limit(async () => {
        io.signal.throwIfAborted();
        await to.writeBlob(blob, () => base.readBlob(blob, { signal: io.signal }));
        doneBytes += blob.sizeBytes;
        io.report({ type: 'transfer-progress', what, doneBytes, sizeBytes });
      }),
    ),
  );
  return sizeBytes;
}

/** What a tag points to now, by the bytes that are there. */
async function findDigest(repository: Repository, tag: Tag): Promise<Digest | undefined> {
  try {
    return (await repository.getManifest(tag)).digest;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Waits for all, then throws the first failure: nothing goes on in the background after an error was reported. */
async function settled(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
