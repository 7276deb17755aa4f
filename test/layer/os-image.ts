import type { Cache } from '../../src/io.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Family } from '../../src/oci/media-type.ts';
import { type OpenedImage, openImage } from '../../src/oci/open-image.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { MemoryImages } from '../support/memory-images.ts';
import { addImage, type Entry, tarOf } from '../support/synthetic-image.ts';
import { MemoryCache } from '../support/synthetic-release.ts';

export const KERNEL = '5.14.0-427.el9_4.x86_64';
export const MODULES = `usr/lib/modules/${KERNEL}`;

/** One layer of an OS image: what it is called, and what is in it. */
export interface OsLayer {
  /** `created_by`, and `ostree.components` where the image has annotations. */
  readonly components: readonly string[];
  readonly entries: readonly Entry[];
}

export interface OsImageRecipe {
  /** Chunks of the encapsulated commit, below the layer with the commit itself. */
  readonly chunks: readonly OsLayer[];
  /** Layers on top of it, lowest first. */
  readonly derived?: readonly (readonly Entry[])[];
  /** What a push as Docker image loses. */
  readonly hasAnnotations?: boolean;
  /** Without, as images of plain layers are. */
  readonly hasFinalDiffId?: boolean;
  readonly family?: Family;
}

export interface OsImage {
  readonly image: OpenedImage;
  readonly cache: Cache;
  /** Positions of the layers that were read since the last call, each as often as it was read. */
  readonly layersRead: () => readonly number[];
}

/** Puts an OS image into a repository in memory and opens it. */
export async function openOsImage(recipe: OsImageRecipe): Promise<OsImage> {
  const { hasAnnotations = false, hasFinalDiffId = true, family = 'oci', derived = [] } = recipe;
  const images = new MemoryImages();
  const repository = images.at(parseReference('registry.example.com/acme/os'));
  const commit: Entry[] = [{ path: 'sysroot/ostree/repo/config', content: '[core]\n' }];
  const layers = [commit, ...recipe.chunks.map(({ entries }) => entries), ...derived];
  const finalTar = await tarOf(recipe.chunks.at(-1)?.entries ?? commit);
  const digest = await addImage(repository, {
    layers,
    family,
    labels: hasFinalDiffId ? { 'ostree.final-diffid': digestOf(finalTar) } : {},
    history: [
      'ostree export of commit 0123',
      ...recipe.chunks.map(({ components }) => titleOf(components)),
      ...derived.map((_, at) => `/bin/sh -c step ${at}`),
    ],
    layerAnnotations: hasAnnotations
      ? [undefined, ...recipe.chunks.map(({ components }) => ({ 'ostree.components': components.join(',') }))]
      : [],
  });
  const image = await openImage(repository, digest, undefined);
  images.served.length = 0;
  return {
    image,
    cache: new MemoryCache(),
    layersRead: () =>
      images.served
        .splice(0)
        .map(({ what }) => image.manifest.layers.findIndex((layer) => layer.digest === what)),
  };
}

/** History text of a chunk, as rpm-ostree writes it. */
function titleOf(components: readonly string[]): string {
  if (components.length === 0) return 'Reserved for new packages';
  return components.length > 5 ? `${components.length} components` : components.join(' and ');
}

/** Files as a chunk holds them: content under a checksum, then the real path as a hard link. */
export function asObjects(files: Readonly<Record<string, string>>): Entry[] {
  return Object.entries(files).flatMap(([path, content]): Entry[] => {
    const checksum = digestOf(Buffer.from(`${path} ${content}`)).slice('sha256:'.length);
    const object = `sysroot/ostree/repo/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.file`;
    return [
      { path: `${object}-xattrs`, content: 'xattrs' },
      { path: `${object}-xattrs-link`, hardlink: `${object}-xattrs` },
      { path: object, content },
      { path, hardlink: object },
    ];
  });
}

/** Files as an ordinary layer holds them. */
export function asFiles(files: Readonly<Record<string, string>>): Entry[] {
  return Object.entries(files).map(([path, content]) => ({ path, content }));
}

/** All index files that depmod writes, each with a content that says where it came from. */
export function indexes(from: string): Record<string, string> {
  const names = ['dep', 'alias', 'symbols'].flatMap((name) => [name, `${name}.bin`]);
  return Object.fromEntries(
    [...names, 'softdep', 'devname', 'builtin.bin'].map((name) => [
      `${MODULES}/modules.${name}`,
      `${name} of ${from}`,
    ]),
  );
}
