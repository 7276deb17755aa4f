import { KmodError, RegistryError } from '../../errors.ts';
import { type Digest, digestOf, parseDigest } from '../../oci/digest.ts';
import { type Descriptor, descriptorJson, recordOf } from '../../oci/descriptor.ts';
import { parseJson } from '../../oci/json.ts';
import { parseManifest, type RawManifest, rawManifest } from '../../oci/manifest.ts';
import { MEDIA_TYPES } from '../../oci/media-type.ts';
import { formatReference, parseReference, type RegistryReference } from '../../oci/reference.ts';
import { parseTag, type Tag } from '../../oci/tag.ts';
import type { Signatures } from '../../resolve/signatures/verification-policy.ts';

/** An image of a bundle. */
export interface BundledImage {
  /** Its tag in the archive. */
  readonly name: Tag;
  readonly digest: Digest;
  /** Repository that it comes from; undefined when that was a directory or a file. */
  readonly source: RegistryReference | undefined;
  /** Repository below the prefix that a bundle is imported to, for instance `openshift-release-dev/ocp-release`. */
  readonly repository: string;
  /** Its tag there. */
  readonly tag: Tag;
  /** True when it was named by its tag, so that others may ask for it so. */
  readonly isTagged: boolean;
}

/** What a bundle holds, and where it came from. */
export interface Bundle {
  readonly images: readonly BundledImage[];
  /** Signatures of releases, by the digest of what was signed. */
  readonly signatures: Signatures;
}

/** The tag of what says what an archive holds. */
export const BUNDLE_TAG = parseTag('kmodlayer-bundle');

/** Largest description that is read: 16 MiB; an image has about 300 bytes in it, a signature 1.5 kB. */
export const MAX_BUNDLE_BYTES = 16 * 1024 ** 2;

const SCHEMA = 'kmodlayer/bundle/v1';
const TYPE = 'application/vnd.kmodlayer.bundle.v1';
const MAX_ENTRIES = 20_000;

/** An artifact that says what a bundle holds: its manifest, and the blobs that it names. */
export function bundleArtifact(bundle: Bundle): {
  readonly manifest: RawManifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
} {
  const [config, content] = [
    blobOf(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json'),
    blobOf(formatBundle(bundle), `${TYPE}+json`),
  ];
  const manifest = rawManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.oci.manifest,
      artifactType: TYPE,
      config: descriptorJson(config.descriptor),
      layers: [descriptorJson(content.descriptor)],
    },
    MEDIA_TYPES.oci.manifest,
  );
  return { manifest, blobs: [config, content] };
}

function blobOf(
  bytes: Uint8Array,
  mediaType: string,
): { readonly descriptor: Descriptor; readonly bytes: Uint8Array } {
  return { descriptor: { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length }, bytes };
}

/**
 * The blob that describes the bundle of a manifest.
 *
 * @param where Said in messages: the archive.
 * @throws {RegistryError} `LAYOUT_INVALID` for the manifest of anything else.
 */
export function descriptionOf(raw: RawManifest, where: string): Descriptor {
  const manifest = parseManifest(raw);
  const found =
    manifest.kind === 'image'
      ? manifest.layers.find(({ mediaType }) => mediaType === `${TYPE}+json`)
      : undefined;
  if (found !== undefined && found.sizeBytes <= MAX_BUNDLE_BYTES) return found;
  throw invalid(where, `its tag ${BUNDLE_TAG} is no description of a bundle`);
}

/** The same bundle is the same bytes, whatever the order of its images. */
export function formatBundle({ images, signatures }: Bundle): Buffer {
  const json = {
    schema: SCHEMA,
    images: images
      .map(({ source, ...image }) => ({
        ...image,
        ...(source === undefined ? {} : { source: formatReference(source) }),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))),
    signatures: [...signatures]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([digest, list]) => ({
        digest,
        signatures: list.map((bytes) => Buffer.from(bytes).toString('base64')),
      })),
  };
  return Buffer.from(`${JSON.stringify(json, null, 1)}\n`);
}

/**
 * Reads what `formatBundle` wrote.
 *
 * @param where Said in messages: the archive.
 * @throws {RegistryError} `LAYOUT_INVALID`.
 */
export function parseBundle(bytes: Uint8Array, where: string): Bundle {
  if (bytes.length > MAX_BUNDLE_BYTES) throw invalid(where, `its description has ${bytes.length} bytes`);
  try {
    const json = recordOf(parseJson(bytes), 'description');
    if (json['schema'] !== SCHEMA) throw invalid(where, `its description is not of the form ${SCHEMA}`);
    const images = listOf(json['images'], where).map((entry) => imageOf(recordOf(entry, 'images'), where));
    const names = new Set(images.map(({ name }) => name));
    if (names.size < images.length) throw invalid(where, 'it has a name twice');
    const signatures = listOf(json['signatures'], where).map((entry) => {
      const { digest, signatures: list } = recordOf(entry, 'signatures');
      return [
        parseDigest(textOf(digest, where)),
        listOf(list, where).map((text) => Buffer.from(textOf(text, where), 'base64')),
      ] as const;
    });
    return { images, signatures: new Map(signatures) };
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    if (!(error instanceof KmodError || error instanceof SyntaxError)) throw error;
    throw invalid(where, error.message.slice(0, 300), error);
  }
}

function imageOf(entry: Readonly<Record<string, unknown>>, where: string): BundledImage {
  const { name, digest, source, repository, tag, isTagged } = entry;
  const place = parseReference(`localhost/${textOf(repository, where)}`);
  if (place.transport !== 'docker' || place.tag !== undefined || place.digest !== undefined) {
    throw invalid(where, `${JSON.stringify(repository).slice(0, 200)} is no repository`);
  }
  return {
    name: parseTag(textOf(name, where)),
    digest: parseDigest(textOf(digest, where)),
    source: source === undefined ? undefined : sourceOf(textOf(source, where), where),
    repository: place.repository,
    tag: parseTag(textOf(tag, where)),
    isTagged: isTagged === true,
  };
}

function sourceOf(text: string, where: string): RegistryReference {
  const source = parseReference(text);
  if (source.transport === 'docker' && source.tag === undefined && source.digest === undefined) return source;
  throw invalid(where, `${JSON.stringify(text).slice(0, 200)} is no repository`);
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw invalid(
    where,
    `its description has ${JSON.stringify(value ?? null).slice(0, 100)} instead of a text`,
  );
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= MAX_ENTRIES) return value as readonly unknown[];
  throw invalid(where, 'its description lacks a list, or has one that is too long');
}

function invalid(where: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError('LAYOUT_INVALID', `Cannot use ${where} as a bundle: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Make it again with "kmodlayer bundle create".',
  });
}
