import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../../cli/report/printable.ts';

describe('printable()', () => {
  it.each([
    ['plain text\n\twith a tab', 'plain text\n\twith a tab'],
    ['\u001b[2J\u001b[01;31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007shell', 'shell'],
    ['\u001b]8;;https://example.com\u001b\\link', 'link'],
    ['one\r\ntwo\r\r\nthree', 'one\ntwo\nthree'],
    ['a\rb\0c\u007f\u0085', 'a\ufffdb\ufffdc\ufffd\ufffd'],
    ['right\u202eto left\u2066', 'right\ufffdto left\ufffd'],
    ['half \ud83d of a pair, and a whole one \u{1f600}', 'half \ufffd of a pair, and a whole one \u{1f600}'],
    ['\u001b', '\ufffd'],
  ])('makes %j into %j', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('leaves nothing that cannot be seen, and does not change twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text);

        expect(shown).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u);
        expect(printable(shown)).toBe(shown);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes time in proportion to the text', () => {
    const hostile = ['\u001b]', '\u001b[', '\u001b[1;', '\u001b]a', '\r', '\u001bP'].map((part) =>
      part.repeat(200_000),
    );

    for (const text of hostile) expect(printable(text).length).toBeLessThanOrEqual(text.length);
  });
});
