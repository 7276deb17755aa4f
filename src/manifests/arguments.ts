import { KmodError, SpecError, type SpecProblem } from '../errors.ts';
import { findNearest } from '../spec/nearest.ts';
import type { TextRule } from '../spec/values.ts';

/** Reads arguments that may be anything, and keeps what is wrong with each instead of stopping at the first. */
export interface ArgumentReader {
  readonly report: (path: string, message: string, hint: string) => void;
  /** Text that `parse` takes; undefined when it is missing or wrong, which is then reported. */
  readonly text: <Value>(path: string, value: unknown, parse: (text: string) => Value) => Value | undefined;
  /** An object with no other keys than these; empty when it is none. */
  readonly object: (
    path: string,
    value: unknown,
    keys: readonly string[],
  ) => Readonly<Record<string, unknown>>;
  /** What `read` makes of each entry of a mapping; its keys may be any. */
  readonly mapping: <Value>(
    path: string,
    value: unknown,
    read: (path: string, key: string, value: unknown) => Value | undefined,
  ) => readonly Value[];
  /** What `read` makes of each item of a list; empty when it is none or too long. */
  readonly list: <Value>(
    path: string,
    value: unknown,
    read: (path: string, item: unknown) => Value | undefined,
  ) => readonly Value[];
  readonly choice: <Value extends string>(
    path: string,
    value: unknown,
    known: readonly Value[],
  ) => Value | undefined;
  readonly seconds: (path: string, value: unknown, most: number) => number | undefined;
  readonly boolean: (path: string, value: unknown) => boolean | undefined;
  /** What `parse` makes of the value; its problems become problems of this path. */
  readonly nested: <Value>(
    path: string,
    value: unknown,
    parse: (value: unknown) => Value,
  ) => Value | undefined;
  /**
   * @throws {SpecError} `VALUE_INVALID` with all that was reported.
   */
  readonly finish: () => void;
}

const MAX_ITEMS = 1000;

/** What an argument was read as; for values whose absence `finish` has reported. */
export function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new TypeError('A problem was found and not reported');
  return value;
}

/**
 * Text that a rule of the spec takes.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function matching({ pattern, what, hint }: TextRule, text: string): string {
  if (pattern.test(text)) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use ${what} ${JSON.stringify(text.slice(0, 200))}`, { hint });
}

/** What an error says of all its problems together. */
export function refusalOf(what: string, problemCount: number): string {
  const count = problemCount === 1 ? 'one of its arguments' : `${problemCount} of its arguments`;
  return `Cannot make ${what}: ${count} cannot be used`;
}

export function makeArgumentReader(what: string): ArgumentReader {
  const problems: SpecProblem[] = [];
  const report = (path: string, message: string, hint: string): void => {
    problems.push({ path, message, hint });
  };
  const wrongType = (path: string, value: unknown, expected: string): void => {
    const message =
      value === undefined ? `${lastOf(path)} is missing` : `${lastOf(path)} must be ${expected}`;
    report(path, message, `Give ${expected}.`);
  };
  const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const isTooLong = (path: string, length: number): boolean => {
    if (length > MAX_ITEMS)
      report(path, `${lastOf(path)} has ${length} entries`, `Give at most ${MAX_ITEMS}.`);
    return length > MAX_ITEMS;
  };

  return {
    report,
    text(path, value, parse) {
      if (typeof value !== 'string') {
        wrongType(path, value, 'a text');
        return undefined;
      }
      try {
        return parse(value);
      } catch (error) {
        if (!(error instanceof KmodError)) throw error;
        report(path, error.message, error.hint ?? 'Write another.');
        return undefined;
      }
    },
    object(path, value, keys) {
      if (!isPlainObject(value)) {
        wrongType(path, value, 'an object');
        return {};
      }
      for (const key of Object.keys(value)
        .filter((one) => !keys.includes(one))
        .slice(0, 20)) {
        const nearest = findNearest(key, keys);
        report(
          path === '' ? key.slice(0, 100) : `${path}.${key.slice(0, 100)}`,
          `Unknown option ${JSON.stringify(key.slice(0, 100))}`,
          nearest === undefined
            ? `Known here: ${keys.join(', ')}.`
            : `Did you mean ${JSON.stringify(nearest)}?`,
        );
      }
      return value;
    },
    mapping(path, value, read) {
      if (!isPlainObject(value)) {
        wrongType(path, value, 'an object');
        return [];
      }
      const entries = Object.entries(value);
      if (isTooLong(path, entries.length)) return [];
      return entries.flatMap(([key, item]) => {
        const made = read(`${path}[${JSON.stringify(key.slice(0, 200))}]`, key, item);
        return made === undefined ? [] : [made];
      });
    },
    list(path, value, read) {
      if (!Array.isArray(value)) {
        wrongType(path, value, 'a list');
        return [];
      }
      if (isTooLong(path, value.length)) return [];
      return Array.from(value as readonly unknown[]).flatMap((item, index) => {
        const made = read(`${path}[${index}]`, item);
        return made === undefined ? [] : [made];
      });
    },
    choice(path, value, known) {
      const found = known.find((one) => one === value);
      if (found !== undefined) return found;
      const nearest = typeof value === 'string' ? findNearest(value, known) : undefined;
      report(
        path,
        typeof value === 'string'
          ? `${lastOf(path)} cannot be ${JSON.stringify(value.slice(0, 100))}`
          : `${lastOf(path)} must be a text`,
        nearest === undefined ? `Known: ${known.join(', ')}.` : `Did you mean ${JSON.stringify(nearest)}?`,
      );
      return undefined;
    },
    seconds(path, value, most) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value;
      report(path, `${lastOf(path)} must be a whole number`, `Give seconds, from 1 to ${most}.`);
      return undefined;
    },
    boolean(path, value) {
      if (typeof value === 'boolean') return value;
      wrongType(path, value, 'true or false');
      return undefined;
    },
    nested(path, value, parse) {
      try {
        return parse(value);
      } catch (error) {
        if (!(error instanceof SpecError)) throw error;
        for (const problem of error.problems) {
          problems.push({ ...problem, path: [path, problem.path].filter((part) => part !== '').join('.') });
        }
        if (error.problems.length === 0) report(path, error.message, error.hint ?? 'Give another.');
        return undefined;
      }
    },
    finish() {
      if (problems.length === 0) return;
      throw new SpecError('VALUE_INVALID', refusalOf(what, problems.length), { problems });
    },
  };
}

function lastOf(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}
