import type { Io } from '../../io.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { readBaseModules } from '../base.ts';
import { modulePath, type PlacedDriver } from '../place.ts';
import type { StreamedFile } from '../tar.ts';
import { type BaseInitramfs, readBaseInitramfs } from './base-initramfs.ts';
import { type Archive, makeArchive } from './make-archive.ts';

export interface InitramfsRequest {
  readonly image: OpenedImage;
  readonly kernel: KernelRelease;
  readonly drivers: readonly PlacedDriver[];
  /** Index files of the tree that the layer makes. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
}

/** The initramfs of a layer: that of the base, and an archive more. */
export interface LayeredInitramfs {
  readonly file: StreamedFile;
  readonly archive: Archive;
  readonly baseBytes: number;
}

/**
 * Makes the initramfs that has the modules that are asked for. That of the base is streamed through, and never held.
 * Undefined when no module asks for it.
 *
 * @throws as `readBaseInitramfs` and `makeArchive` do.
 */
export async function layeredInitramfs(
  { image, kernel, drivers, indexes }: InitramfsRequest,
  io: Pick<Io, 'cache' | 'signal' | 'report'>,
): Promise<LayeredInitramfs | undefined> {
  if (!drivers.some(({ modules }) => modules.some(({ initramfs }) => initramfs === true))) return undefined;
  const initramfs = await readBaseInitramfs(image, kernel, io);
  const archive = await makeArchive({
    kernel,
    drivers,
    initramfs,
    tree: {
      indexes,
      pathOf: modulePath,
      readModules: (paths) => readBaseModules(image, { kernel, paths }, io),
    },
  });
  const file = appended(`usr/lib/modules/${kernel}/initramfs.img`, initramfs, archive.bytes);
  io.report({
    type: 'transfer-planned',
    what: `initramfs of ${kernel} in the layer, that of the base included`,
    blobs: 1,
    sizeBytes: file.sizeBytes,
  });
  return { file, archive, baseBytes: initramfs.sizeBytes };
}

/** The kernel takes an archive that is not packed only on a multiple of four, and zeros for nothing. */
function appended(
  path: string,
  base: Pick<BaseInitramfs, 'sizeBytes' | 'open'>,
  archive: Buffer,
): StreamedFile {
  const padding = Buffer.alloc((4 - (base.sizeBytes % 4)) % 4);
  return {
    path,
    sizeBytes: base.sizeBytes + padding.length + archive.length,
    async *open() {
      yield* base.open();
      yield padding;
      yield archive;
    },
  };
}
