import { createHash } from 'node:crypto';
import { OciError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { readLayerFiles, unpackLimit } from '../../oci/layer-files.ts';
import type { LayerEntry } from '../../oci/layer-reader.ts';
import type { OpenedImage } from '../../oci/open-image.ts';

/** A layer on top of a base, read whole. */
export interface AddedLayer {
  readonly descriptor: Descriptor;
  /** `created_by` of its step in the history; empty when there is none. */
  readonly createdBy: string;
  /** What the config says of its tar. */
  readonly diffId: Digest | undefined;
  /** Digest of the tar as it is; undefined for a layer that could not be read to its end. */
  readonly actualDiffId: Digest | undefined;
  /** In the order of the tar; a path may come again. */
  readonly entries: readonly LayerEntry[];
  /** Modules, their indexes, and what configures how they are loaded, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
  /** Names that no node could create. */
  readonly badNames: readonly { readonly name: string; readonly why: string }[];
  /** The tar ends in the middle of a block. */
  readonly isCut: boolean;
  /** What keeps the layer from being read. */
  readonly problem: string | undefined;
}

/** Most bytes of modules and indexes that a layer may hold: a whole kernel with its debug information has less. */
const MAX_FILES_BYTES = 1024 ** 3;

/** All names of a layer; those of a whole OS have some 5 MB. */
const MAX_NAMES_LENGTH = 64 * 1024 ** 2;

export const MODULE_FILE = /\.ko(?:\.(?:gz|xz|zst))?$/;

const WANTED = [
  MODULE_FILE,
  /(?:^|\/)lib\/modules\/[^/]+\/modules\.[a-z.]+$/,
  /(?:^|\/)(?:modprobe|modules-load|depmod)\.d\/[^/]+\.conf$/,
];

/** Says whether a path is the mark of something that was removed. */
export function isWhiteout(path: string): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.');
}

/**
 * Reads the layers that were added to a base, each streamed once.
 *
 * @param from Position of the first one.
 * @throws {RegistryError} when a layer cannot be had. What is wrong inside a layer is part of the answer.
 */
export async function readAddedLayers(
  image: OpenedImage,
  from: number,
  io: Pick<Io, 'signal'>,
): Promise<readonly AddedLayer[]> {
  const steps = image.config.history.filter(({ isEmpty }) => !isEmpty);
  const layers: AddedLayer[] = [];
  for (const [at, descriptor] of image.manifest.layers.entries()) {
    if (at < from) continue;
    const content = await readContent(image, descriptor, io);
    const diffId = image.config.diffIds[at];
    layers.push({ descriptor, diffId, createdBy: steps[at]?.createdBy ?? '', ...content });
  }
  return layers;
}

type Content = Omit<AddedLayer, 'descriptor' | 'createdBy' | 'diffId'>;

async function readContent(
  { repository }: OpenedImage,
  layer: Descriptor,
  { signal }: Pick<Io, 'signal'>,
): Promise<Content> {
  const entries: LayerEntry[] = [];
  const badNames: { name: string; why: string }[] = [];
  const hash = createHash('sha256');
  let namesLength = 0;
  let passes = 0;
  let isCut = false;
  const open = (): AsyncIterable<Uint8Array> => {
    passes += 1;
    return repository.readBlob(layer, { signal });
  };
  const note = (name: string): void => {
    namesLength += name.length;
    if (namesLength > MAX_NAMES_LENGTH)
      throw new OciError('LIMIT_EXCEEDED', 'Cannot read a layer with so many names');
  };
  const read = { entries, badNames };
  try {
    const { files, whiteouts, opaque } = await readLayerFiles(open, {
      maxBytes: unpackLimit(layer.sizeBytes),
      maxFilesBytes: MAX_FILES_BYTES,
      wants: (path) => !isWhiteout(path) && WANTED.some((pattern) => pattern.test(path)),
      onEntry: (entry) => {
        note(entry.path);
        entries.push(entry);
      },
      onBadName: (name, why) => {
        note(name);
        badNames.push({ name, why });
      },
      // The rule on hard links says what comes of those.
      onDeadLink: () => undefined,
      onCut: () => {
        isCut = true;
      },
      onTarBytes: (bytes) => {
        if (passes === 1) hash.update(bytes);
      },
    });
    const actualDiffId = parseDigest(`sha256:${hash.digest('hex')}`);
    return { ...read, files, whiteouts, opaque, actualDiffId, isCut, problem: undefined };
  } catch (error) {
    // What is wrong inside the layer is a finding; what keeps it from being fetched is not.
    if (!(error instanceof OciError)) throw error;
    const nothing = { files: new Map<string, Uint8Array>(), whiteouts: [], opaque: [] };
    return { ...read, ...nothing, actualDiffId: undefined, isCut: false, problem: error.message };
  }
}
