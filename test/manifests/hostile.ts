import fc from 'fast-check';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { SpecError } from '../../src/errors.ts';
import { toYaml } from '../../src/manifests/yaml.ts';

/** Texts that would mean something to YAML, a shell, systemd or a registry, and values of every kind. */
const HOSTILE = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    '$(reboot)',
    '%n',
    'a\nb: c',
    '"; rm',
    '- &a',
    '!!js/x',
    '{{ .x }}',
    '__proto__',
    'yes',
    '',
  ),
  fc.constant('x'.repeat(1_000_000)),
  fc.anything({ maxDepth: 2 }),
);

interface Maker {
  readonly make: (options: never) => object;
  /** Options that are taken. */
  readonly valid: Readonly<Record<string, unknown>>;
  /** What a definition says of an object. */
  readonly check: (object: unknown) => readonly string[];
  /** Options that say so when another one is wrong. */
  readonly alsoNamed?: readonly string[];
}

/** The paths of the problems that a maker finds in options of any kind; empty when it takes them. */
export function problemsOf(make: (options: never) => object, options: unknown): readonly string[] {
  try {
    make(options as never);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    expect(error.code).toBe('VALUE_INVALID');
    for (const { message, hint } of error.problems) {
      expect(message.length).toBeLessThan(700);
      expect(hint).toMatch(/\S/);
    }
    expect(error.problems).not.toEqual([]);
    return error.problems.map(({ path }) => path);
  }
  return [];
}

/**
 * Any value of any option is either refused, with that option named and no other, or it gives an object that its definition
 * takes and that YAML brings back as it was.
 */
export function expectRefusedOrValid({ make, valid, check, alsoNamed = [] }: Maker): void {
  expect(problemsOf(make, valid)).toEqual([]);
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(valid)), HOSTILE, (key, value) => {
      const options = { ...valid, [key]: value };

      const problems = problemsOf(make, options);

      expect(problems.filter((path) => ![key, ...alsoNamed].some((one) => path.startsWith(one)))).toEqual([]);
      if (problems.length === 0) expectKept(make(options as never), check);
    }),
    { numRuns: 300 },
  );
}

/** The object fits its definition, and is the same when it is read from YAML. */
export function expectKept(object: object, check: (object: unknown) => readonly string[]): void {
  expect(check(object)).toEqual([]);
  expect(parse(toYaml([object]))).toEqual(object);
  expect(parse(toYaml([object]), { version: '1.1' })).toEqual(object);
}
