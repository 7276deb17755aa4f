import { OciError, ResolveError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import type { FoundImage } from '../oci/open-image.ts';
import { formatReference, pinned } from '../oci/reference.ts';
import { SMALL_LAYER_BYTES } from './layer-search.ts';
import { parsePayload, type Payload } from './payload.ts';

const IMAGE_REFERENCES = 'release-manifests/image-references';
const RELEASE_METADATA = 'release-manifests/release-metadata';

/** The two files stand first in the layer, in some 16 kB of gzip. */
const PREFIX_BYTES = 256 * 1024;

/**
 * Reads what a release image says about itself. The last layer holds it when the usual tools made the release: of a
 * large one only the first bytes are asked for. Releases that were put together by hand may hold it in any layer.
 *
 * @throws {ResolveError} `PAYLOAD_INVALID`; {OciError} and {RegistryError} when a layer cannot be read.
 */
export async function readPayload(
  image: FoundImage,
  { cache, signal }: Pick<Io, 'cache' | 'signal'>,
): Promise<Payload> {
  const key = `payload-v1-${hexOf(image.manifest.digest)}`;
  const known = findKnown(await cache.get(key));
  if (known !== undefined) return parsePayload(known.imageReferences, known.releaseMetadata);
  const files = new Map<string, Buffer>();
  const { layers } = image.manifest;
  const last = layers.at(-1);
  if (last !== undefined && last.sizeBytes > SMALL_LAYER_BYTES)
    await readStart(image, last, { files, signal });
  let isChecked = !isComplete(files);
  for (const layer of layers.toReversed()) {
    if (isComplete(files)) break;
    isChecked &&= await readWhole(image, layer, { files, signal });
  }
  const imageReferences = files.get(IMAGE_REFERENCES);
  const releaseMetadata = files.get(RELEASE_METADATA);
  if (imageReferences === undefined || releaseMetadata === undefined) {
    const name = formatReference(pinned(image.repository.reference, image.manifest.digest));
    const missing = imageReferences === undefined ? IMAGE_REFERENCES : RELEASE_METADATA;
    throw new ResolveError('PAYLOAD_INVALID', `Cannot use ${name} as a release: it has no ${missing}`, {
      hint: 'Name the release image, not the OS image or another image of the release.',
    });
  }
  const payload = parsePayload(imageReferences, releaseMetadata);
  // Layers never change, but only one that was read to its end was checked.
  if (isChecked) {
    const parts = [imageReferences.toString('utf8'), releaseMetadata.toString('utf8')];
    await cache.put(key, Buffer.from(JSON.stringify(parts)));
  }
  return payload;
}

function findKnown(
  bytes: Uint8Array | undefined,
): { readonly imageReferences: Buffer; readonly releaseMetadata: Buffer } | undefined {
  if (bytes === undefined) return undefined;
  const [imageReferences = '', releaseMetadata = ''] = JSON.parse(
    Buffer.from(bytes).toString('utf8'),
  ) as string[];
  return { imageReferences: Buffer.from(imageReferences), releaseMetadata: Buffer.from(releaseMetadata) };
}

interface Reading {
  /** What was found in higher layers; lower layers never replace it. */
  readonly files: Map<string, Buffer>;
  readonly signal: AbortSignal;
}

/** A start that does not unpack on its own tells nothing: the whole layer is read then, and judged. */
async function readStart(image: FoundImage, layer: Descriptor, { files, signal }: Reading): Promise<void> {
  try {
    const start = await readLayerFiles(
      () => image.repository.readBlob(layer, { signal, firstBytes: PREFIX_BYTES }),
      { maxBytes: unpackLimit(PREFIX_BYTES), isPrefix: true, wants: isWanted, isDone: isComplete },
    );
    if (isComplete(start.files)) for (const [path, bytes] of start.files) files.set(path, bytes);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
  }
}

/** Says whether the layer was read to its end. */
async function readWhole(image: FoundImage, layer: Descriptor, { files, signal }: Reading): Promise<boolean> {
  const isSmall = layer.sizeBytes <= SMALL_LAYER_BYTES;
  const found = await readLayerFiles(() => image.repository.readBlob(layer, { signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (path) => isWanted(path) && !files.has(path),
    isDone: (here) => !isSmall && isComplete(new Map([...files, ...here])),
  });
  for (const [path, bytes] of found.files) files.set(path, bytes);
  return isSmall || !isComplete(files);
}

function isWanted(path: string): boolean {
  return path === IMAGE_REFERENCES || path === RELEASE_METADATA;
}

function isComplete(files: ReadonlyMap<string, Buffer>): boolean {
  return files.has(IMAGE_REFERENCES) && files.has(RELEASE_METADATA);
}
