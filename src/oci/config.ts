import { OciError } from '../errors.ts';
import { parseStrings, recordOf } from './descriptor.ts';
import { parseDigest, type Digest } from './digest.ts';
import { parseJson } from './json.ts';

/** One step of an image's history; steps that are not `isEmpty` stand beside the layers, in order. */
export interface History {
  readonly createdBy: string;
  readonly isEmpty: boolean;
}

/** An image's config. `json` holds every key as it came: what we do not know must survive. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly diffIds: readonly Digest[];
  readonly history: readonly History[];
  readonly json: Readonly<Record<string, unknown>>;
}

/** Largest config that is read: 8 MiB. Those of OS images have 10 to 30 kB. */
export const MAX_CONFIG_BYTES = 8 * 1024 ** 2;

/**
 * Reads an image config.
 *
 * @throws {OciError} `CONFIG_INVALID`, `DIGEST_INVALID` or `LIMIT_EXCEEDED`.
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new OciError(
      'LIMIT_EXCEEDED',
      `Cannot read an image config of ${bytes.length} bytes: the limit is ${MAX_CONFIG_BYTES}`,
    );
  }
  try {
    const json = recordOf(parseJson(bytes), 'image config');
    const rootfs = recordOf(json['rootfs'] ?? {}, 'rootfs');
    const config = recordOf(json['config'] ?? {}, 'config');
    return {
      architecture: typeof json['architecture'] === 'string' ? json['architecture'] : '',
      os: typeof json['os'] === 'string' ? json['os'] : '',
      labels: config['Labels'] == null ? {} : parseStrings(config['Labels'], 'config.Labels'),
      diffIds: listOf(rootfs['diff_ids'], 'rootfs.diff_ids').map((id) => parseDigest(String(id))),
      history: listOf(json['history'], 'history').map(parseHistory),
      json,
    };
  } catch (error) {
    if (error instanceof OciError && error.code !== 'MANIFEST_INVALID') throw error;
    const why = error instanceof OciError ? error.message.replace(/^Cannot read /, '') : 'it is not JSON';
    throw new OciError('CONFIG_INVALID', `Cannot read an image config: ${why}`, { cause: error });
  }
}

function parseHistory(json: unknown): History {
  const { created_by, empty_layer } = recordOf(json, 'history');
  return { createdBy: typeof created_by === 'string' ? created_by : '', isEmpty: empty_layer === true };
}

function listOf(json: unknown, where: string): readonly unknown[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json))
    throw new OciError('CONFIG_INVALID', `Cannot read an image config: ${where} is not a list`);
  return json;
}
