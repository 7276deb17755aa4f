import { RegistryError } from '../errors.ts';
import { digestOf } from '../oci/digest.ts';
import type { RawManifest } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-type.ts';

/**
 * The media type of a manifest: what its own bytes say, else what it was served as, else what its content shows.
 * Parameters such as `; charset=utf-8` are dropped.
 *
 * @throws {RegistryError} `UNSUPPORTED` for Docker schema 1.
 */
export function mediaTypeOf(bytes: Uint8Array, servedAs: string | undefined): string {
  const served = servedAs?.split(';')[0]?.trim().toLowerCase() ?? '';
  const json = parseObject(bytes);
  if (json['schemaVersion'] === 1 || served.startsWith('application/vnd.docker.distribution.manifest.v1+')) {
    throw new RegistryError('UNSUPPORTED', 'Cannot use a manifest of Docker schema 1', {
      hint: 'The registry converted or kept an old image: push it again with a current tool.',
    });
  }
  if (typeof json['mediaType'] === 'string') return json['mediaType'];
  if (served.startsWith('application/vnd.')) return served;
  if (Array.isArray(json['manifests'])) return MEDIA_TYPES.oci.index;
  const configType = parseConfigType(json['config']);
  return configType === MEDIA_TYPES.docker.config ? MEDIA_TYPES.docker.manifest : MEDIA_TYPES.oci.manifest;
}

/**
 * Checks a manifest that is about to be written: its digest must be that of its bytes.
 *
 * @throws {RegistryError} `DIGEST_MISMATCH`.
 */
export function checkManifestBytes(manifest: RawManifest, where: string): void {
  const digest = digestOf(manifest.bytes);
  if (digest !== manifest.digest) {
    throw new RegistryError(
      'DIGEST_MISMATCH',
      `Cannot write manifest ${manifest.digest} to ${where}: its bytes hash to ${digest}`,
    );
  }
}

function parseConfigType(config: unknown): unknown {
  return typeof config === 'object' && config !== null && 'mediaType' in config
    ? config.mediaType
    : undefined;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
