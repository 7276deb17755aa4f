import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { decompressModule } from '../../src/kmod/compression.ts';
import type { AddedModule } from '../../src/kmod/depmod/select-modules.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { readBase } from '../../src/layer/base.ts';
import { mergeWithBase } from '../../src/layer/merge-base.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { openImage, type OpenedImage } from '../../src/oci/open-image.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { makeTestIo, type TestIo } from './io.ts';
import { QUICKSTART_KERNEL } from './quickstart-root.ts';

export const KERNEL = parseKernelRelease(QUICKSTART_KERNEL);
export const MODULES = `usr/lib/modules/${KERNEL}`;

/** An entry of a layer, with anything that a tar header can say. */
export type RawEntry = Partial<Omit<Header, 'pax'>> & {
  readonly pax?: Readonly<Record<string, string>>;
  readonly name: string;
  readonly content?: string | Uint8Array;
};

/** A file of 0:0 and mode 0644. */
export function file(name: string, content: string | Uint8Array = 'content'): RawEntry {
  return { name, content };
}

/** A module of `fixtures/modules`. */
export function fixtureModule(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, '../../fixtures/modules', name));
}

/** The OS image of the quickstart: real kernel, real indexes, few modules. */
export async function openQuickstart(io: TestIo = makeTestIo()): Promise<OpenedImage> {
  const [target] = await resolve({ release: 'oci:fixtures/quickstart/release:4.18.4' }, io);
  const { location, digest } = target!.osImage;
  return openImage(await io.images.open(location, 'read'), digest, 'x86_64');
}

/** An image with layers on top, as an engine would append them. */
export async function layered(
  base: OpenedImage,
  layers: readonly (readonly RawEntry[])[],
): Promise<OpenedImage> {
  const added = await Promise.all(
    layers.map(async (entries) => {
      const tar = await rawTar(entries);
      const bytes = gzipSync(tar);
      const mediaType = MEDIA_TYPES[base.manifest.family].layerGzip;
      const descriptor: Descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
      return { bytes, diffId: digestOf(tar), descriptor };
    }),
  );
  const blobs = new Map(added.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  const repository: Repository = {
    ...base.repository,
    readBlob: (blob, options) => {
      const bytes = blobs.get(blob.digest);
      return bytes === undefined ? base.repository.readBlob(blob, options) : once(bytes);
    },
  };
  return {
    ...base,
    repository,
    manifest: {
      ...base.manifest,
      layers: [...base.manifest.layers, ...added.map(({ descriptor }) => descriptor)],
    },
    config: {
      ...base.config,
      diffIds: [...base.config.diffIds, ...added.map(({ diffId }) => diffId)],
      history: [
        ...base.config.history,
        ...added.map((_, at) => ({ createdBy: `/bin/sh -c step ${at}`, isEmpty: false })),
      ],
    },
  };
}

/** Files of a layer that is as it should be: modules, and the indexes of the base with these merged in. */
export async function layerWith(
  base: OpenedImage,
  modules: Readonly<Record<string, Uint8Array>>,
): Promise<RawEntry[]> {
  const plain = Object.entries(modules).map(async ([path, bytes]) => ({
    path,
    module: readModule(await decompressModule(bytes)),
  }));
  return [
    ...Object.entries(modules).map(([path, bytes]) => file(`${MODULES}/${path}`, bytes)),
    ...(await indexesWith(base, await Promise.all(plain))),
  ];
}

/** The indexes that change when modules come to a base. */
export async function indexesWith(base: OpenedImage, added: readonly AddedModule[]): Promise<RawEntry[]> {
  const io = makeTestIo();
  const request = { image: base, kernel: KERNEL, added, ownConfig: new Map<string, Uint8Array>() };
  const { files } = await mergeWithBase({ ...request, base: await readBase(base, KERNEL, io) }, io);
  return [...files].map(([name, bytes]) => file(`${MODULES}/${name}`, bytes));
}

/** An uncompressed tar. */
export async function rawTar(entries: readonly RawEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) {
    // Its types do not know `pax`.
    const headers: Header = { mtime: new Date(1000), ...header } as Header;
    if (content === undefined) tar.entry(headers);
    else tar.entry(headers, Buffer.from(content));
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
