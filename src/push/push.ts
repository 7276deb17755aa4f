import pLimit from 'p-limit';
import { RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import { parseConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { AppendedImage } from '../oci/image.ts';
import { formatReference } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';
import { requirePublishable } from './publishable.ts';

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
 * Pushes an image: the base's layers are mounted or, where that cannot be, streamed from registry to registry; at the
 * same time our layer and config; then the manifest; the tag is last, in the same request as the manifest. Interrupted
 * and run again, it goes on with what is missing.
 *
 * @throws {RegistryError} as the repositories do; the tag is then as it was.
 * @throws {SignError} `THROW_AWAY_KEY` when the image must not be published.
 */
export async function push(request: PushRequest, io: Pick<Io, 'report' | 'signal'>): Promise<Pushed> {
  const { image, base, to, tag } = request;
  requirePublishable(parseConfig(image.config.bytes).labels, to.reference);
  const { digest } = image.manifest;
  if ((await findDigest(to, tag)) === digest) {
    return { digest, copiedBytes: 0, mountedBlobs: 0, wasThere: true };
  }
  const isSamePlace = formatReference(base.reference) === formatReference(to.reference);
  const counts = { copiedBytes: 0, mountedBlobs: 0 };
  // In its own repository the base is there: nobody is asked about its layers, unless the registry misses them.
  await writeBlobs(request, { layers: isSamePlace ? [] : image.baseLayers, canMount: true, counts }, io);
  try {
    await to.writeManifest(image.manifest, tag);
  } catch (error) {
    if (!(error instanceof RegistryError && error.code === 'BLOB_UNKNOWN')) throw error;
    // A blob that was there when we asked may be gone when the manifest comes: all are provided again, once.
    io.report({ type: 'warning', message: `${error.message}; writing the missing blobs again` });
    await writeBlobs(request, { layers: image.baseLayers, canMount: !isSamePlace, counts }, io);
    await to.writeManifest(image.manifest, tag);
  }
  return { digest, wasThere: false, ...counts };
}

interface BaseBlobs {
  readonly layers: readonly Descriptor[];
  readonly canMount: boolean;
  readonly counts: { copiedBytes: number; mountedBlobs: number };
}

/** Writes every blob of an image; when one fails, the others are given up. */
async function writeBlobs(
  { image, base, to }: PushRequest,
  { layers, canMount, counts }: BaseBlobs,
  io: Pick<Io, 'report' | 'signal'>,
): Promise<void> {
  const giveUp = new AbortController();
  const signal = AbortSignal.any([io.signal, giveUp.signal]);
  const unique = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const provideBase = async (): Promise<void> => {
    const missing = canMount ? await mountBlobs(unique, { base, to, signal, counts }) : unique;
    const absent = await withoutThoseIn(to, missing, signal);
    counts.copiedBytes += await copyBlobs(absent, { base, to, signal, report: io.report });
  };
  const writeLayer = (): Promise<void> => to.writeBlob(image.layer.descriptor, () => image.layer.chunks);
  const writeConfig = (): Promise<void> => to.writeBlob(image.config.descriptor, () => [image.config.bytes]);
  await runAll([provideBase, writeLayer, writeConfig], { atOnce: 3, signal, giveUp });
  io.signal.throwIfAborted();
}

interface Transfer {
  readonly base: Repository;
  readonly to: Repository;
  readonly signal: AbortSignal;
}

/**
 * Links layers of the base into the target, and returns those for which that was not possible. Not asking first saves a
 * request for each layer: mounting also succeeds when the blob is there already. A registry that refuses refuses all.
 */
async function mountBlobs(
  layers: readonly Descriptor[],
  { base, to, signal, counts }: Transfer & Pick<BaseBlobs, 'counts'>,
): Promise<readonly Descriptor[]> {
  const missing: Descriptor[] = [];
  await runAll(
    layers.map((layer) => async () => {
      const isRefused = missing.length > 0 && counts.mountedBlobs === 0;
      if (!isRefused && (await to.mountBlob(layer, base))) counts.mountedBlobs++;
      else missing.push(layer);
    }),
    { atOnce: CONCURRENCY, signal },
  );
  return missing;
}

async function withoutThoseIn(
  repository: Repository,
  blobs: readonly Descriptor[],
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const there = new Set<Digest>();
  await runAll(
    blobs.map((blob) => async () => {
      if (await repository.hasBlob(blob)) there.add(blob.digest);
    }),
    { atOnce: CONCURRENCY, signal },
  );
  return blobs.filter(({ digest }) => !there.has(digest));
}

/** Streams blobs from one repository to another: nothing is kept on this machine. Returns the bytes that moved. */
async function copyBlobs(
  blobs: readonly Descriptor[],
  { base, to, signal, report }: Transfer & Pick<Io, 'report'>,
): Promise<number> {
  if (blobs.length === 0) return 0;
  const sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  const what = `layers of the base to ${formatReference(to.reference)}`;
  report({ type: 'transfer-planned', what, blobs: blobs.length, sizeBytes });
  let doneBytes = 0;
  await runAll(
    blobs.map((blob) => async () => {
      await to.writeBlob(blob, () => base.readBlob(blob, { signal }));
      doneBytes += blob.sizeBytes;
      report({ type: 'transfer-progress', what, doneBytes, sizeBytes });
    }),
    { atOnce: COPIES, signal },
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

/**
 * Runs tasks, some at once. After a failure none is begun any more; those that run are waited for, so that nothing goes
 * on in the background after an error was reported; then the first failure is thrown.
 *
 * @param giveUp Aborted at the first failure, for the tasks that run.
 */
async function runAll(
  tasks: readonly (() => Promise<void>)[],
  {
    atOnce,
    signal,
    giveUp,
  }: { readonly atOnce: number; readonly signal: AbortSignal; readonly giveUp?: AbortController },
): Promise<void> {
  const limit = pLimit(atOnce);
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map((task) =>
      limit(async () => {
        try {
          if (failures.length > 0) return;
          signal.throwIfAborted();
          await task();
        } catch (error) {
          failures.push(error);
          giveUp?.abort(error);
        }
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
