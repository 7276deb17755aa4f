import { parse } from 'smol-toml';
import { ResolveError } from '../errors.ts';
import { type Mirror, type MirrorRule, parseLocation } from './mirrors.ts';

const MAX_BYTES = 4 * 1024 ** 2;

/**
 * Reads the `[[registry]]` tables of a registries.conf of version 2. Everything else in it, short names for
 * instance, is of no use here: our references always name their registry.
 *
 * @throws {ResolveError} `MIRROR_INVALID`.
 * @see containers-registries.conf(5)
 */
export function parseRegistriesConf(text: string, file: string): readonly MirrorRule[] {
  if (text.length > MAX_BYTES) throw invalid(file, `it has more than ${MAX_BYTES} characters`);
  let toml: Readonly<Record<string, unknown>>;
  try {
    toml = parse(text);
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw invalid(file, `it is not TOML: ${why.slice(0, 200)}`, error);
  }
  const registries = toml['registry'] ?? [];
  if (!Array.isArray(registries)) throw invalid(file, '"registry" is not a list of tables');
  return registries.map((registry: unknown) => parseRegistry(tableOf(registry, file), file));
}

function parseRegistry(table: Readonly<Record<string, unknown>>, file: string): MirrorRule {
  const { prefix, location, insecure, blocked, mirror = [] } = table;
  const isDigestOnly = flagOf(table['mirror-by-digest-only'], file);
  if (!Array.isArray(mirror)) throw invalid(file, '"registry.mirror" is not a list of tables');
  const hasLocation = location !== undefined && location !== '';
  const source = prefix === undefined || prefix === '' ? location : prefix;
  return {
    prefix: parseLocation(source, file, true),
    location: hasLocation ? parseLocation(location, file, false) : undefined,
    mirrors: mirror.map((entry: unknown) => parseMirror(tableOf(entry, file), isDigestOnly, file)),
    // A blocked registry is not asked; what mirrors it has are.
    mayContactSource: flagOf(blocked, file) ? false : undefined,
    isInsecure: flagOf(insecure, file),
    file,
  };
}

function parseMirror(table: Readonly<Record<string, unknown>>, isDigestOnly: boolean, file: string): Mirror {
  const pull = table['pull-from-mirror'] ?? (isDigestOnly ? 'digest-only' : 'all');
  if (pull !== 'all' && pull !== 'digest-only' && pull !== 'tag-only') {
    throw invalid(file, '"pull-from-mirror" is none of all, digest-only and tag-only');
  }
  return {
    location: parseLocation(table['location'], file, false),
    pull,
    isInsecure: flagOf(table['insecure'], file),
  };
}

function flagOf(value: unknown, file: string): boolean {
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw invalid(file, `${JSON.stringify(value)} is neither true nor false`);
}

function tableOf(value: unknown, file: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid(file, '"registry" is not a list of tables');
}

function invalid(file: string, why: string, cause?: unknown): ResolveError {
  return new ResolveError('MIRROR_INVALID', `Cannot use the mirrors of ${file}: ${why}`, { cause });
}
