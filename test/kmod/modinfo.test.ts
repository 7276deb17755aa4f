import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseModinfo } from '../../src/kmod/modinfo.ts';
import { fuzzRuns } from './fuzz.ts';

describe('parseModinfo()', () => {
  it('keeps order and repeats, and cuts at the first equals sign', () => {
    const fields = parseModinfo(Buffer.from('alias=b\0alias=a\0parm=x:a=b\0\0\0author=Jörg\0'));

    expect(fields).toEqual([
      { key: 'alias', value: 'b' },
      { key: 'alias', value: 'a' },
      { key: 'parm', value: 'x:a=b' },
      { key: 'author', value: 'Jörg' },
    ]);
  });

  it('reads a last field without its NUL, and one without a value', () => {
    expect(parseModinfo(Buffer.from('intree\0license=GPL'))).toEqual([
      { key: 'intree', value: '' },
      { key: 'license', value: 'GPL' },
    ]);
  });

  it('refuses more fields than any module has', () => {
    expect(() => parseModinfo(Buffer.from('a\0'.repeat(2 ** 18 + 1)))).toThrow(
      expect.objectContaining({ code: 'MODINFO_INVALID' }),
    );
  });

  it('reads back what was written', () => {
    const text = fc.string().filter((value) => !/[\0]/.test(value));
    const key = text.filter((value) => value !== '' && !value.includes('='));

    fc.assert(
      fc.property(fc.array(fc.record({ key, value: text })), (fields) => {
        const section = fields.map((field) => `${field.key}=${field.value}\0`).join('');

        expect(parseModinfo(Buffer.from(section))).toEqual(fields);
      }),
      { numRuns: fuzzRuns(100) },
    );
  });
});
