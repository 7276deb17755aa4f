import { describe, expect, it } from 'vitest';
import { findNearest } from '../../src/spec/nearest.ts';

describe('findNearest()', () => {
  it.each([
    ['moduls', 'modules'],
    ['Modules', 'modules'],
    ['relaeses', 'releases'],
    ['rtt', 'rt'],
    ['whatever', undefined],
    ['', undefined],
    ['m'.repeat(1_000_000), undefined],
  ])('%.20s means %s', (word, meant) => {
    const nearest = findNearest(word, ['modules', 'releases', 'rt', 'streams']);

    expect(nearest).toBe(meant);
  });
});
