import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/errors.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { stringify } from 'yaml';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
const FULL = readFileSync('fixtures/specs/full.yaml', 'utf8');

/** The error of a spec, or undefined; anything but a SpecError with problems escapes. */
function failureOf(text: string): SpecError | undefined {
  try {
    parseSpec(text, 'a.yaml');
    return undefined;
  } catch (error) {
    if (error instanceof SpecError && error.problems.length > 0) return error;
    throw error;
  }
}

describe('parseSpec() never throws anything but a SpecError with problems', () => {
  it('on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(failureOf(text)).toBeDefined();
      }),
      { numRuns: RUNS },
    );
  });

  it('on any document', () => {
    const keys = fc.constantFrom('metadata', 'targets', 'drivers', 'sign', '__proto__', 'constructor');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue({ maxDepth: 3 })), (document) => {
        expect(failureOf(stringify(document))).toBeDefined();
      }),
      { numRuns: RUNS },
    );
  });

  it('on a good spec with a piece cut out or doubled', () => {
    const cut = fc.tuple(fc.nat(FULL.length), fc.nat(60), fc.boolean());
    fc.assert(
      fc.property(cut, ([at, length, isDoubled]) => {
        const piece = isDoubled ? FULL.slice(at, at + length).repeat(2) : '';
        const error = failureOf(FULL.slice(0, at) + piece + FULL.slice(at + length));

        expect(error?.code ?? 'SPEC_INVALID').toBe('SPEC_INVALID');
      }),
      { numRuns: RUNS },
    );
  });
});
