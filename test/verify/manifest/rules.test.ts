import { describe, expect, it } from 'vitest';
import { MANIFEST_RULE_IDS } from '../../../src/verify/manifest/rule-ids.ts';
import { findingsOf } from '../../support/lint.ts';
import { FILE_CASES } from './cases/files.ts';
import { OBJECT_CASES } from './cases/objects.ts';
import { OPERATOR_CASES } from './cases/operators.ts';
import { UNIT_CASES } from './cases/units.ts';

const CASES = [...OBJECT_CASES, ...FILE_CASES, ...UNIT_CASES, ...OPERATOR_CASES];

describe('Rules of manifests', () => {
  it.each(CASES.map((one, at) => ({ ...one, at })))(
    '$at: $rule is found where it is broken, and only there',
    ({ rule, found, bad, good, options }) => {
      expect(findingsOf(bad, options)).toContain(`${rule} ${found}`);
      expect(findingsOf(good, options).filter((one) => one.startsWith(`${rule} `))).toEqual([]);
    },
  );

  it('each have a case', () => {
    const covered = new Set(CASES.map(({ rule }) => rule));

    // Modes are judged in a table of their own.
    expect(MANIFEST_RULE_IDS.filter((rule) => !covered.has(rule) && !rule.startsWith('mode-'))).toEqual([]);
  });
});
