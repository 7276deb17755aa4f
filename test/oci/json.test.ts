import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/oci/json.ts';

describe('parseJson()', () => {
  it('reads what JSON.stringify() writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('counts no brackets inside of texts', () => {
    const value = { text: `${'['.repeat(1000)}"\\` };

    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
  });

  it('counts brackets that are closed again only once', () => {
    const value = Array.from({ length: 1000 }, () => [{}]);

    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
  });

  it.each(['[', '{"a":'])('refuses a million of %j, which could not be written again', (open) => {
    expect(() => parseJson(Buffer.from(open.repeat(1_000_000)))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });

  it('reads a view of a larger buffer', () => {
    expect(parseJson(Buffer.from('xx{"a":1}xx').subarray(2, 9))).toEqual({ a: 1 });
  });
});
