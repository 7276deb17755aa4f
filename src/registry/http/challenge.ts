/** One way to log in that a server offers. */
export interface Challenge {
  /** In lower case, for instance `bearer`. */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longer headers are cut: no registry needs more. */
const MAX_LENGTH = 16 * 1024;
const GAP = /[\s,]*/y;
const PARAMETER = /([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
const SCHEME = /([\w!#$%&'*+.^`|~-]+)(?=[\s,]|$)/y;
const TOKEN68 = /[ \t]+[\w.~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * Reads a `WWW-Authenticate` header, which may hold several challenges with commas inside and between them. What
 * cannot be read ends the reading; there is no error, as a server that is misunderstood is answered like one that
 * offers nothing.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, MAX_LENGTH);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text) ?? undefined;
    if (match !== undefined) at = pattern.lastIndex;
    return match;
  };

  for (;;) {
    take(GAP);
    const current = challenges.at(-1);
    const parameter = current === undefined ? undefined : take(PARAMETER);
    if (current !== undefined && parameter !== undefined) {
      const [, name = '', quoted, plain] = parameter;
      const key = name.toLowerCase();
      const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
      if (!current.parameters.has(key)) current.parameters.set(key, value);
      continue;
    }
    const scheme = take(SCHEME)?.[1];
    if (scheme === undefined) return challenges;
    challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    take(TOKEN68);
  }
}
