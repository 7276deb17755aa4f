import { RegistryError } from '../errors.ts';
import { type Descriptor, descriptorJson, parseDescriptor, recordOf } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-type.ts';

/** The `index.json` of a layout. `json` and the entries' `json` hold every key as it came. */
export interface LayoutIndex {
  readonly entries: readonly LayoutEntry[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** One manifest of a layout, and the tag that it stands under. */
export interface LayoutEntry {
  readonly descriptor: Descriptor;
  readonly tag: string | undefined;
  readonly json: unknown;
}

/** Annotation that holds a manifest's tag. */
const REF_NAME = 'org.opencontainers.image.ref.name';

/** The index of a layout that holds nothing yet. */
export const EMPTY_INDEX: LayoutIndex = {
  entries: [],
  json: { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index },
};

/**
 * Reads an `index.json`.
 *
 * @param where Said in messages: the layout.
 * @throws {RegistryError} `LAYOUT_INVALID`.
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function parseLayoutIndex(bytes: Uint8Array, where: string): LayoutIndex {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new RegistryError(
      'LAYOUT_INVALID',
      `Cannot read ${where}: its index.json has ${bytes.length} bytes`,
    );
  }
  try {
    const json = recordOf(JSON.parse(Buffer.from(bytes).toString('utf8')), 'index.json');
    const manifests = json['manifests'] ?? [];
    if (!Array.isArray(manifests)) throw new Error('manifests is not a list');
    const entries = manifests.map((entry: unknown, at): LayoutEntry => {
      const descriptor = parseDescriptor(entry, `manifests[${at}]`);
      return { descriptor, tag: descriptor.annotations?.[REF_NAME], json: entry };
    });
    return { entries, json };
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 300) : String(error);
    throw new RegistryError('LAYOUT_INVALID', `Cannot read ${where}: its index.json is broken: ${why}`, {
      cause: error,
    });
  }
}

/** The bytes of an `index.json`. */
export function formatLayoutIndex(index: LayoutIndex): Buffer {
  const manifests = index.entries.map(({ json }) => json);
  return Buffer.from(`${JSON.stringify({ ...index.json, manifests })}\n`);
}

/** The index with one more manifest. A tag moves to it from whatever had it; an untagged manifest stands there once. */
export function withManifest(
  index: LayoutIndex,
  descriptor: Descriptor,
  tag: string | undefined,
): LayoutIndex {
  const others = index.entries.filter((entry) =>
    entry.tag === undefined ? entry.descriptor.digest !== descriptor.digest : entry.tag !== tag,
  );
  if (tag === undefined && index.entries.some((entry) => entry.descriptor.digest === descriptor.digest)) {
    return index;
  }
  const tagged = tag === undefined ? descriptor : { ...descriptor, annotations: { [REF_NAME]: tag } };
  return {
    ...index,
    entries: [...others, { descriptor: tagged, tag, json: descriptorJson(tagged) }],
  };
}

/** The entry of a tag or a digest. */
export function findEntry(index: LayoutIndex, reference: Digest | string): LayoutEntry | undefined {
  return index.entries.find((entry) => entry.tag === reference || entry.descriptor.digest === reference);
}
