import { ResolveError } from '../errors.ts';
import { parseReference, type RegistryReference } from '../oci/reference.ts';

/** A place that has copies of what another one has. */
export interface Mirror {
  /** `host[:port][/path]`. */
  readonly location: string;
  /** Which references are looked for here. */
  readonly pull: 'all' | 'digest-only' | 'tag-only';
  readonly isInsecure: boolean;
}

/** What to do with references below a prefix. */
export interface MirrorRule {
  /** `host[:port][/path]`, or `*.domain` for all hosts below it. */
  readonly prefix: string;
  /** Where the source itself is, when that is not what the prefix says. */
  readonly location: string | undefined;
  readonly mirrors: readonly Mirror[];
  /** False: only mirrors are asked. Undefined: not said, which means true. */
  readonly mayContactSource: boolean | undefined;
  /** The source may be reached without TLS. */
  readonly isInsecure: boolean;
  /** File that says so, for messages. */
  readonly file: string;
}

/** Whether something is asked for by its digest or by a tag; `any` for what both kinds of mirrors may serve. */
export type AskedBy = 'digest' | 'tag' | 'any';

/**
 * The rule of the longest prefix that covers a repository. Of two rules with the same prefix the later one counts.
 */
export function findRule(rules: readonly MirrorRule[], reference: RegistryReference): MirrorRule | undefined {
  let best: MirrorRule | undefined;
  for (const rule of rules) {
    if (suffixBelow(rule.prefix, reference) === undefined) continue;
    // A plain host beats the wildcard that covers it: the wildcard says less.
    if (best === undefined || weightOf(rule) >= weightOf(best)) best = rule;
  }
  return best;
}

/**
 * Where to look for a repository, in this order: its mirrors, then the source. Empty when it may not be read at all.
 *
 * @throws {ResolveError} `MIRROR_INVALID` when a mirror's location and the rest of the name make no repository.
 */
export function placesOf(
  rule: MirrorRule,
  reference: RegistryReference,
  by: AskedBy,
): readonly RegistryReference[] {
  const suffix = suffixBelow(rule.prefix, reference) ?? '';
  const locations = rule.mirrors
    .filter(({ pull }) => pull === 'all' || by === 'any' || pull === `${by}-only`)
    .map(({ location }) => location);
  const places = locations.map((location) => placeAt(location, suffix, rule));
  if (rule.mayContactSource !== false) {
    const { host, repository } = reference;
    places.push(
      rule.location === undefined
        ? { transport: 'docker', host, repository }
        : placeAt(rule.location, suffix, rule),
    );
  }
  const names = places.map(nameOf);
  return places.filter((place, at) => names.indexOf(nameOf(place)) === at);
}

/** Hosts that rules allow to reach without TLS. */
export function insecureHostsOf(rules: readonly MirrorRule[]): readonly string[] {
  return rules.flatMap((rule) => {
    const mirrors = rule.mirrors.filter(({ isInsecure }) => isInsecure).map(({ location }) => location);
    const source = rule.isInsecure ? [rule.location ?? rule.prefix] : [];
    return [...mirrors, ...source].map((location) => location.split('/')[0] ?? '');
  });
}

/**
 * Puts rules of one prefix together: mirrors one after the other, each once.
 *
 * @throws {ResolveError} `MIRROR_INVALID` when one says that the source may be asked and another that it must not.
 */
export function mergeRules(rules: readonly MirrorRule[]): readonly MirrorRule[] {
  const merged = new Map<string, MirrorRule>();
  for (const rule of rules) {
    const before = merged.get(rule.prefix);
    merged.set(rule.prefix, before === undefined ? rule : merge(before, rule));
  }
  return [...merged.values()];
}

/**
 * Checks a prefix or a location and gives it in its one spelling.
 *
 * @param allowsWildcard Says whether `*.domain` is fine, as it is for a prefix.
 * @throws {ResolveError} `MIRROR_INVALID`.
 */
export function parseLocation(text: unknown, file: string, allowsWildcard: boolean): string {
  const name = typeof text === 'string' ? text : '';
  const isWildcard = allowsWildcard && name.startsWith('*.');
  try {
    const plain = isWildcard ? `any.${name.slice(2)}` : name;
    if (name.length > 1000 || (isWildcard && name.includes('/'))) throw new Error('not a location');
    // Locations may be a host alone: with something below it they must be a name like any other.
    const { host, repository } = parseReference(`docker://${plain}/x`) as RegistryReference;
    const path = repository.split('/').slice(0, -1).join('/');
    const spelled = host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
    if (isWildcard) return `*.${host.slice('any.'.length)}`;
    return path === '' ? spelled : `${spelled}/${path}`;
  } catch (error) {
    throw new ResolveError(
      'MIRROR_INVALID',
      `Cannot use the mirrors of ${file}: ${JSON.stringify(name.slice(0, 200))} is no registry or repository`,
      { cause: error, hint: 'Write host[:port][/path], without a scheme, a tag or a digest.' },
    );
  }
}

function merge(before: MirrorRule, rule: MirrorRule): MirrorRule {
  const [old, own] = [before.mayContactSource, rule.mayContactSource];
  if (old !== undefined && own !== undefined && old !== own) {
    throw new ResolveError(
      'MIRROR_INVALID',
      `Cannot use the mirrors of ${rule.prefix}: ${before.file} and ${rule.file} differ on mirrorSourcePolicy`,
      { hint: 'Give the source the same mirrorSourcePolicy in all sets.' },
    );
  }
  const known = new Set(before.mirrors.map(({ location, pull }) => `${location} ${pull}`));
  return {
    ...before,
    mirrors: [
      ...before.mirrors,
      ...rule.mirrors.filter(({ location, pull }) => !known.has(`${location} ${pull}`)),
    ],
    mayContactSource: own ?? old,
    isInsecure: before.isInsecure || rule.isInsecure,
  };
}

/** What follows a prefix in a repository's name; undefined when the prefix does not cover it. */
function suffixBelow(prefix: string, { host, repository }: RegistryReference): string | undefined {
  const spelled = host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
  if (prefix.startsWith('*.')) {
    return spelled.endsWith(prefix.slice(1)) && spelled.length >= prefix.length
      ? `/${repository}`
      : undefined;
  }
  const name = `${spelled}/${repository}`;
  if (name === prefix) return '';
  return name.startsWith(`${prefix}/`) ? name.slice(prefix.length) : undefined;
}

function placeAt(location: string, suffix: string, rule: MirrorRule): RegistryReference {
  try {
    const { host, repository } = parseReference(`docker://${location}${suffix}`) as RegistryReference;
    return { transport: 'docker', host, repository };
  } catch (error) {
    throw new ResolveError(
      'MIRROR_INVALID',
      `Cannot use mirror ${location} of ${rule.prefix}: it names no repository`,
      { cause: error, hint: `Look at ${rule.file}: a mirror of a repository must be a repository.` },
    );
  }
}

function weightOf({ prefix }: MirrorRule): number {
  return prefix.startsWith('*.') ? prefix.length - 10_000 : prefix.length;
}

function nameOf({ host, repository }: RegistryReference): string {
  return `${host}/${repository}`;
}
