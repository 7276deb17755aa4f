import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Arch, goArchOf } from '../../src/oci/arch.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { descriptorJson } from '../../src/oci/descriptor.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { rawManifest } from '../../src/oci/manifest.ts';
import { type Family, MEDIA_TYPES } from '../../src/oci/media-type.ts';
import type { MemoryRepository } from './memory-images.ts';

/** One entry of a layer: text or bytes for a file, or a link, or a directory. */
export type Entry =
  | { readonly path: string; readonly content: string | Uint8Array }
  | { readonly path: string; readonly hardlink: string }
  | { readonly path: string; readonly symlink: string }
  | { readonly path: string; readonly directory: true };

/** Bytes that do not compress, the same on each run. */
export function noise(bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update('noise').digest();
}

/** A layer as an uncompressed tar. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    const mtime = new Date(0);
    if ('content' in entry) tar.entry({ name: entry.path, mtime }, Buffer.from(entry.content));
    else if ('hardlink' in entry)
      tar.entry({ name: entry.path, type: 'link', linkname: entry.hardlink, mtime });
    else if ('symlink' in entry)
      tar.entry({ name: entry.path, type: 'symlink', linkname: entry.symlink, mtime });
    else tar.entry({ name: entry.path, type: 'directory', mtime });
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

/** What an image is made from. */
export interface ImageRecipe {
  /** Layers, lowest first. */
  readonly layers: readonly (readonly Entry[])[];
  readonly arch?: Arch;
  readonly labels?: Readonly<Record<string, string>>;
  /** `created_by` of each layer. */
  readonly history?: readonly string[];
  /** `annotations` of each layer's descriptor. */
  readonly layerAnnotations?: readonly (Readonly<Record<string, string>> | undefined)[];
  readonly family?: Family;
  /** Leaves `mediaType` out of the manifest, as OCI allows. */
  readonly hasNoMediaType?: boolean;
}

/** Builds an image with real tar.gz layers into a repository. */
export async function addImage(repository: MemoryRepository, recipe: ImageRecipe): Promise<Digest> {
  const types = MEDIA_TYPES[recipe.family ?? 'oci'];
  const tars = await Promise.all(recipe.layers.map(tarOf));
  const layers = tars.map((tar, at): Descriptor => {
    const annotations = recipe.layerAnnotations?.[at];
    return {
      ...repository.addBlob(gzipSync(tar), types.layerGzip),
      ...(annotations === undefined ? {} : { annotations }),
    };
  });
  const config = repository.addBlob(
    Buffer.from(
      JSON.stringify({
        architecture: goArchOf(recipe.arch ?? 'x86_64'),
        os: 'linux',
        config: { Labels: recipe.labels ?? {} },
        rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
        history: tars.map((_, at) => ({ created_by: recipe.history?.[at] ?? `layer ${at}` })),
      }),
    ),
    types.config,
  );
  const manifest = rawManifest(
    {
      schemaVersion: 2,
      ...(recipe.hasNoMediaType === true ? {} : { mediaType: types.manifest }),
      config: descriptorJson(config),
      layers: layers.map(descriptorJson),
    },
    types.manifest,
  );
  await repository.writeManifest(manifest);
  return manifest.digest;
}

/** Builds an index over images of a repository. */
export async function addIndex(
  repository: MemoryRepository,
  images: readonly { readonly arch: Arch; readonly digest: Digest }[],
  family: Family = 'oci',
): Promise<Digest> {
  const types = MEDIA_TYPES[family];
  const manifest = rawManifest(
    {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: images.map(({ arch, digest }) => ({
        mediaType: types.manifest,
        digest,
        size: repository.manifests.get(digest)?.bytes.length ?? 0,
        platform: { architecture: goArchOf(arch), os: 'linux' },
      })),
    },
    types.index,
  );
  await repository.writeManifest(manifest);
  return manifest.digest;
}
