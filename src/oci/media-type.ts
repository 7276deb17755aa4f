/** The two families of media types: an image belongs to exactly one, and registries refuse mixtures. */
export type Family = 'oci' | 'docker';

export const MEDIA_TYPES = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar',
    layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar',
    layerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    layerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  },
} as const;

/**
 * What a manifest request must accept. All four: a registry that does not find the stored type here may convert the
 * manifest, which changes its digest.
 */
export const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPES.oci.manifest,
  MEDIA_TYPES.oci.index,
  MEDIA_TYPES.docker.manifest,
  MEDIA_TYPES.docker.index,
];

/** The type that the same bytes have in a family; types that belong to neither stay as they are. */
export function inFamily(mediaType: string, family: Family): string {
  for (const types of Object.values(MEDIA_TYPES)) {
    for (const [kind, type] of Object.entries(types)) {
      if (type === mediaType) return MEDIA_TYPES[family][kind as keyof (typeof MEDIA_TYPES)[Family]];
    }
  }
  return mediaType;
}
