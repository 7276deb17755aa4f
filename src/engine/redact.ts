/** Shorter lines are words that occur everywhere; blotting them out would make a log unreadable and hide nothing. */
const SHORTEST = 6;

/**
 * A function that blots secrets out of a line: every line of every secret, and the whole of a one-line secret.
 * Longest first, so that no part of a longer secret stays.
 */
export function makeRedact(secrets: readonly string[]): (line: string) => string {
  const parts = [...new Set(secrets.flatMap((secret) => secret.split(/\r?\n|\r/)).map((part) => part.trim()))]
    .filter((part) => part.length >= SHORTEST && !/^-+(BEGIN|END) [A-Z0-9 ]+-+$/.test(part))
    .sort((a, b) => b.length - a.length);
  return (line) => parts.reduce((text, part) => text.replaceAll(part, '***'), line);
}
