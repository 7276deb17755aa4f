import { OciError } from '../errors.ts';
import type { ImageConfig } from './config.ts';
import { type Descriptor, descriptorJson } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
import { type ImageManifest, type RawManifest, rawManifest } from './manifest.ts';
import { type Family, inFamily, MEDIA_TYPES } from './media-type.ts';

/** A compressed layer that is ready to be pushed. */
export interface NewLayer {
  /** gzip bytes, in pieces: they are never needed as one. Each iteration gives the same from the start. */
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
  readonly digest: Digest;
  /** Digest of the tar inside. */
  readonly diffId: Digest;
}

export interface AppendOptions {
  readonly base: { readonly manifest: ImageManifest; readonly config: ImageConfig };
  readonly layer: NewLayer;
  /** Labels to add or replace; all others of the base stay. They are repeated as annotations where the base does so. */
  readonly labels: Readonly<Record<string, string>>;
  /** Annotations of our layer, for instance `ostree.components`; only OCI manifests can carry them. */
  readonly layerAnnotations: Readonly<Record<string, string>>;
  /** What `podman history` shows for our layer. */
  readonly createdBy: string;
  /** RFC 3339. */
  readonly created: string;
  /** Media types to write; those of the base when absent. Layouts hold `oci` only; blobs and config stay the same. */
  readonly family?: Family;
}

/** An image that is ready to be pushed: what is new, and what the base has already. */
export interface AppendedImage {
  readonly manifest: RawManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  readonly layer: { readonly descriptor: Descriptor; readonly chunks: NewLayer['chunks'] };
  readonly baseLayers: readonly Descriptor[];
}

/**
 * The base with one more layer on top. Layers, history, diff_ids, labels and every unknown key of the base stay as they
 * are, and so does the media-type family unless another one is asked for.
 *
 * @throws {OciError} `CONFIG_INVALID` when layers and diff_ids of the base do not stand one to one.
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export function appendLayer(options: AppendOptions): AppendedImage {
  const { base, layer, labels, family = base.manifest.family } = options;
  const types = MEDIA_TYPES[family];
  requireOneToOne(base);

  const configBytes = Buffer.from(JSON.stringify(appendToConfig(options)));
  const config: Descriptor = {
    mediaType: inFamily(base.manifest.config.mediaType, family),
    digest: digestOf(configBytes),
    sizeBytes: configBytes.length,
  };
  const layerDescriptor: Descriptor = {
    mediaType: types.layerGzip,
    digest: layer.digest,
    sizeBytes: layer.sizeBytes,
    ...(family === 'oci' && Object.keys(options.layerAnnotations).length > 0
      ? { annotations: options.layerAnnotations }
      : {}),
  };
  const { json } = base.manifest;
  const baseLayers = base.manifest.layers.map((blob) => ({
    ...blob,
    mediaType: inFamily(blob.mediaType, family),
  }));
  const annotations = { ...base.manifest.annotations, ...mirrored(base, labels) };
  const manifest = rawManifest(
    {
      ...json,
      mediaType: types.manifest,
      config: { ...withoutContent(asObject(json['config'])), ...descriptorJson(config) },
      layers: [
        ...asList(json['layers']).map((blob, at) => ({
          ...asObject(blob),
          mediaType: baseLayers[at]?.mediaType,
        })),
        descriptorJson(layerDescriptor),
      ],
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    types.manifest,
  );
  return {
    manifest,
    config: { descriptor: config, bytes: configBytes },
    layer: { descriptor: layerDescriptor, chunks: layer.chunks },
    baseLayers,
  };
}

function appendToConfig({ base, layer, labels, createdBy, created }: AppendOptions): Record<string, unknown> {
  const { json } = base.config;
  const rootfs = asObject(json['rootfs']);
  const config = asObject(json['config']);
  return {
    ...json,
    created,
    config: { ...config, Labels: { ...asObject(config['Labels']), ...labels } },
    rootfs: { ...rootfs, diff_ids: [...asList(rootfs['diff_ids']), layer.diffId] },
    history: [...historyOf(base), { created, created_by: createdBy }],
  };
}

/**
 * The steps of the base. One that has none gets an empty step for each layer, since registries and nodes refuse an
 * image with a history that is shorter than its layers.
 */
function historyOf({ manifest, config }: AppendOptions['base']): readonly unknown[] {
  const steps = asList(config.json['history']);
  if (config.history.some(({ isEmpty }) => !isEmpty)) return steps;
  return [...steps, ...manifest.layers.map(() => ({ created_by: '' }))];
}

/** A descriptor may hold the bytes that it describes: those of the base's config are not ours. */
function withoutContent(descriptor: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(descriptor).filter(([key]) => key !== 'data'));
}

/** Encapsulated OS images repeat their labels as manifest annotations: the labels that we change must follow there. */
function mirrored(
  base: AppendOptions['base'],
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  const { annotations } = base.manifest;
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key in annotations));
}

function requireOneToOne({ manifest, config }: AppendOptions['base']): void {
  const steps = config.history.filter(({ isEmpty }) => !isEmpty).length;
  if (manifest.layers.length === config.diffIds.length && (steps === 0 || steps === manifest.layers.length))
    return;
  throw new OciError(
    'CONFIG_INVALID',
    `Cannot add a layer to ${manifest.digest}: it has ${manifest.layers.length} layers, ${config.diffIds.length} diff_ids and ${steps} history steps`,
    {
      hint: 'Layers, diff_ids and history of an image stand one to one: push the base again with a current tool.',
    },
  );
}

function asObject(json: unknown): Record<string, unknown> {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
}

function asList(json: unknown): readonly unknown[] {
  return Array.isArray(json) ? json : [];
}
