import { RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import { parseConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { AppendedImage } from '../oci/image.ts';
import { formatReference } from '../oci/reference.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';
import { copyBlobs, findDigest, mountBlobs, runAll, withoutThoseIn } from './blobs.ts';
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
    const layers = unique.map((blob) => ({ blob, from: base }));
    const missing = canMount ? await mountBlobs(layers, { to, signal, counts }) : layers;
    const absent = await withoutThoseIn(to, missing, signal);
    const what = `layers of the base to ${formatReference(to.reference)}`;
    counts.copiedBytes += await copyBlobs(absent, { to, what, signal, report: io.report });
  };
  const writeLayer = (): Promise<void> => to.writeBlob(image.layer.descriptor, () => image.layer.chunks);
  const writeConfig = (): Promise<void> => to.writeBlob(image.config.descriptor, () => [image.config.bytes]);
  await runAll([provideBase, writeLayer, writeConfig], { atOnce: 3, signal, giveUp });
  io.signal.throwIfAborted();
}
