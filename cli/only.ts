import { SpecError } from '../src/errors.ts';
import type { Choice, Only } from '../src/plan/select.ts';

/** What is chosen by, and what of a choice is compared. */
const KEYS: Readonly<Record<string, (choice: Choice) => readonly string[]>> = {
  driver: ({ drivers }) => drivers,
  release: ({ target }) => [target.release.version],
  arch: ({ target }) => [target.arch],
  stream: ({ target }) => [target.stream],
  kernel: ({ kernel }) => (kernel === undefined ? [] : [kernel]),
  flavour: ({ flavour }) => [flavour],
};

/**
 * Reads `--only kernel=5.14.0-427.el9_4.x86_64,arch=x86_64`: values of one key are alternatives, keys must all hold.
 *
 * @throws {SpecError} `USAGE`.
 */
export function parseOnly(texts: readonly string[]): Only {
  const wanted = new Map<string, string[]>();
  for (const entry of texts.flatMap((text) => text.split(','))) {
    const at = entry.indexOf('=');
    const key = entry.slice(0, Math.max(at, 0)).trim();
    const value = entry.slice(at + 1).trim();
    if (!Object.hasOwn(KEYS, key) || value === '') throw unknownKey(entry);
    wanted.set(key, [...(wanted.get(key) ?? []), value]);
  }
  return (choice) =>
    [...wanted].every(([key, values]) => KEYS[key]?.(choice).some((value) => values.includes(value)));
}

function unknownKey(entry: string): SpecError {
  return new SpecError('USAGE', `Cannot choose targets by ${JSON.stringify(entry)}`, {
    hint: `Write KEY=VALUE with a key of ${Object.keys(KEYS).join(', ')}.`,
  });
}
