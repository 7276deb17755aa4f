import { describe, expect, it } from 'vitest';
import { makeLog } from '../../src/compile/log.ts';

describe('makeLog()', () => {
  it('keeps the start and the end of a log that is too long', () => {
    const log = makeLog();
    const filler = 'x'.repeat(1024 * 1024);
    for (let index = 0; index < 32; index++) log.add(filler);

    for (let index = 0; index < 100_000; index++) log.add(`line ${index}`);

    const lines = log.lines();
    expect(lines.length).toBeLessThan(50_000);
    expect(lines[0]).toBe(filler);
    expect(lines).toContainEqual(expect.stringMatching(/^\[\d+ lines left out\]$/));
    expect(lines.at(-1)).toBe('line 99999');
  });
});
