import type { ImportedImage } from '../push/bundle/import.ts';
import type { Signatures } from '../resolve/signatures/verification-policy.ts';
import { makeImageDigestMirrorSet, makeImageTagMirrorSet, type MirrorEntry } from './mirror-set.ts';
import { makeSignatureMaps } from './signature-maps.ts';
import { toYaml } from './yaml.ts';

/** A file for `oc apply`. */
export interface ManifestFile {
  readonly fileName: string;
  readonly yaml: string;
}

/**
 * What a cluster needs to use a bundle that was imported: mirrors for pulls by digest, and by tag for what was named so; the
 * signatures of its releases.
 *
 * @param name Of the sets, for instance `kmodlayer-bundle`.
 */
export function bundleManifests(
  name: string,
  { images, signatures }: { readonly images: readonly ImportedImage[]; readonly signatures: Signatures },
): readonly ManifestFile[] {
  const [digest, tag] = [mirrorsOf(images), mirrorsOf(images.filter(({ isTagged }) => isTagged))];
  const maps = makeSignatureMaps(signatures);
  return [
    ...fileOf(
      'image-digest-mirror-set.yaml',
      digest.length === 0 ? [] : [makeImageDigestMirrorSet({ name, mirrors: digest })],
    ),
    ...fileOf(
      'image-tag-mirror-set.yaml',
      tag.length === 0 ? [] : [makeImageTagMirrorSet({ name, mirrors: tag })],
    ),
    ...fileOf('release-signatures.yaml', maps),
  ];
}

function mirrorsOf(images: readonly ImportedImage[]): readonly MirrorEntry[] {
  const places = new Map<string, string>();
  for (const { source, mirror } of images) {
    if (source === undefined) continue;
    places.set(`${source.host}/${source.repository}`, `${mirror.host}/${mirror.repository}`);
  }
  return [...places]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([source, mirror]) => ({ source, mirrors: [mirror] }));
}

function fileOf(fileName: string, objects: readonly object[]): readonly ManifestFile[] {
  return objects.length === 0 ? [] : [{ fileName, yaml: toYaml(objects) }];
}
