import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTag, tagFrom } from '../../src/oci/tag.ts';
import { anyText } from '../support/any-text.ts';

describe('parseTag()', () => {
  it.each(['latest', '_', '4.18.4-x86_64', 'A'.repeat(128)])('reads %j', (text) => {
    expect(parseTag(text)).toBe(text);
  });

  it.each(['', '.a', '-a', 'a b', 'a/b', 'a:b', 'a+b', 'ä', 'a\n', 'A'.repeat(129)])('refuses %j', (text) => {
    expect(() => parseTag(text)).toThrow(expect.objectContaining({ code: 'TAG_INVALID' }));
  });
});

describe('tagFrom()', () => {
  it('writes _ for the + of a kernel release, as KMM does', () => {
    expect(tagFrom('5.14.0-427.50.1.el9_4.x86_64+rt')).toBe('5.14.0-427.50.1.el9_4.x86_64_rt');
  });

  it('makes a tag of any text but none at all', () => {
    fc.assert(
      fc.property(anyText({ maxBytes: 300 }), (text) => {
        fc.pre(text !== '');
        const tag = tagFrom(text);

        expect(parseTag(tag)).toBe(tag);
        expect(tagFrom(tag)).toBe(tag);
      }),
    );
  });
});
