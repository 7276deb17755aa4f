import { type Arch, goArchOf } from './arch.ts';
import { type ImageConfig, parseConfig } from './config.ts';
import { digestOf } from './digest.ts';
import type { ImageManifest } from './manifest.ts';
import { MEDIA_TYPES } from './media-type.ts';

/** An image without layers, to append the first one to: what `FROM scratch` is in a Containerfile. */
export function emptyImage(arch: Arch): { readonly manifest: ImageManifest; readonly config: ImageConfig } {
  const bytes = Buffer.from(
    JSON.stringify({
      architecture: goArchOf(arch),
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [] },
      history: [],
    }),
  );
  const config = { mediaType: MEDIA_TYPES.oci.config, digest: digestOf(bytes), sizeBytes: bytes.length };
  return {
    manifest: {
      kind: 'image',
      family: 'oci',
      digest: digestOf(Buffer.alloc(0)),
      config,
      layers: [],
      annotations: {},
      json: { schemaVersion: 2 },
    },
    config: parseConfig(bytes),
  };
}
