import { SpecError } from '../src/errors.ts';
import type { Target } from '../src/resolve/target.ts';

/** What targets are chosen by, and what of a target is compared. All drivers of a set are in each of its images. */
const KEYS: Readonly<Record<string, (target: Target, drivers: readonly string[]) => readonly string[]>> = {
  driver: (_target, drivers) => drivers,
  release: ({ release }) => [release.version],
  arch: ({ arch }) => [arch],
  stream: ({ stream }) => [stream],
  kernel: ({ osImage }) => [osImage.kernel],
};

/**
 * Reads `--only kernel=5.14.0-427.el9_4.x86_64,arch=x86_64`: values of one key are alternatives, keys must all hold.
 *
 * @param drivers Names of the drivers of the set.
 * @throws {SpecError} `USAGE`.
 */
export function parseOnly(texts: readonly string[], drivers: readonly string[]): (target: Target) => boolean {
  const wanted = new Map<string, string[]>();
  for (const entry of texts.flatMap((text) => text.split(','))) {
    const at = entry.indexOf('=');
    const key = entry.slice(0, Math.max(at, 0)).trim();
    const value = entry.slice(at + 1).trim();
    if (KEYS[key] === undefined || value === '') throw unknownKey(entry);
    wanted.set(key, [...(wanted.get(key) ?? []), value]);
  }
  return (target) =>
    [...wanted].every(([key, values]) =>
      KEYS[key]?.(target, drivers).some((value) => values.includes(value)),
    );
}

function unknownKey(entry: string): SpecError {
  return new SpecError('USAGE', `Cannot choose targets by ${JSON.stringify(entry)}`, {
    hint: `Write KEY=VALUE with a key of ${Object.keys(KEYS).join(', ')}.`,
  });
}
