import type { ManifestFile } from '../../src/manifests/bundle-manifests.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { formatReference, pinned } from '../../src/oci/reference.ts';
import type { BundledImage } from '../../src/push/bundle/bundle-manifest.ts';
import type { CreatedBundle } from '../../src/push/bundle/create.ts';
import type { ImportedImage } from '../../src/push/bundle/import.ts';
import { plain, plainLine } from './error-text.ts';
import { formatSize } from './sizes.ts';
import { formatTable } from './table.ts';

/** What came of importing a bundle. */
export interface ImportedBundle {
  readonly images: readonly ImportedImage[];
  readonly signed: readonly Digest[];
  readonly files: readonly ManifestFile[];
  /** Where the files are; undefined when they were not wanted. */
  readonly directory: string | undefined;
}

/** A bundle that was made, as programs see it. */
export function createdBundleData({
  images,
  signed,
  sizeBytes,
}: CreatedBundle): Readonly<Record<string, unknown>> {
  return {
    sizeBytes,
    images: images.map(({ name, ...image }) => ({ name, ...imageData(image) })),
    signedReleases: signed,
  };
}

/** The same as people see it. */
export function createdBundleText(file: string, { images, signed, sizeBytes }: CreatedBundle): string {
  return [
    `${plain(file)}: ${images.length} images, ${formatSize(sizeBytes)}, signatures of ${signed.length} releases\n`,
    formatTable(
      ['NAME', 'IMAGE'],
      images.map(({ name, source, digest }) => [name, sourceText(source, digest)]),
    ),
  ].join('');
}

/** A bundle that was imported, as programs see it. */
export function importedBundleData({
  images,
  signed,
  files,
  directory,
}: ImportedBundle): Readonly<Record<string, unknown>> {
  return {
    images: images.map(({ mirror, wasThere, copiedBytes, ...image }) => ({
      ...imageData(image),
      mirror: formatReference(pinned(mirror, image.digest)),
      wasThere,
      copiedBytes,
    })),
    signedReleases: signed,
    manifests: files,
    directory: directory ?? null,
  };
}

/** The same as people see it. */
export function importedBundleText({ images, files, directory }: ImportedBundle): string {
  const rows = images.map(({ mirror, tag, source, digest, wasThere }) => [
    `${formatReference(mirror)}:${tag}`,
    sourceText(source, digest),
    wasThere ? 'was there' : 'pushed',
  ]);
  const written =
    directory === undefined
      ? ['no manifests were asked for: --manifests DIR writes them\n']
      : files.map(({ fileName }) => `manifest ${plainLine(`${directory}/${fileName}`)}\n`);
  return [formatTable(['MIRROR', 'OF', 'STATE'], rows), ...written].join('');
}

function imageData({
  digest,
  source,
  repository,
  tag,
}: Omit<BundledImage, 'name'>): Readonly<Record<string, unknown>> {
  return { digest, source: source === undefined ? null : formatReference(source), repository, tag };
}

function sourceText(source: BundledImage['source'], digest: Digest): string {
  return source === undefined ? digest : formatReference(pinned(source, digest));
}
