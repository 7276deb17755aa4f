import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { toYaml } from '../../src/manifests/yaml.ts';
import { anyText } from '../support/any-text.ts';

describe('toYaml()', () => {
  it('writes one document for each object', () => {
    const yaml = toYaml([{ a: 1 }, { b: [2] }]);

    expect(yaml).toBe('a: 1\n---\nb:\n  - 2\n');
    expect(parseAllDocuments(yaml).map((document) => document.toJS() as unknown)).toEqual([
      { a: 1 },
      { b: [2] },
    ]);
  });

  it.each([
    'yes',
    'no',
    'on',
    'null',
    '~',
    '0755',
    '0o755',
    '08',
    '1.e3',
    '-.5',
    '+.inf',
    'True',
    '1e3',
    '12:30:45',
    '1_000',
    '0x1f',
    '.5',
    '',
    ' a',
    '<<',
    '2026-01-02',
  ])('writes the text %j so that old and new readers take it for a text', (text) => {
    const yaml = toYaml([{ text }]);

    expect(parse(yaml, { version: '1.1' })).toEqual({ text });
    expect(parse(yaml, { version: '1.2' })).toEqual({ text });
  });

  it('writes an object that comes twice in full, without anchors', () => {
    const same = { a: 1 };

    expect(toYaml([{ one: same, two: same }])).toBe('one:\n  a: 1\ntwo:\n  a: 1\n');
  });

  it('keeps a long line in one piece', () => {
    const text = 'word '.repeat(100).trim();

    expect(toYaml([{ text }])).toBe(`text: ${text}\n`);
  });

  it('writes any text so that it is read back', () => {
    fc.assert(
      fc.property(anyText({ maxBytes: 200 }), anyText({ maxBytes: 20 }), (value, key) => {
        const object = { spec: { [key]: value, list: [value] } };

        expect(parse(toYaml([object]), { version: '1.1' })).toEqual(object);
        expect(parse(toYaml([object]), { version: '1.2' })).toEqual(object);
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 300) },
    );
  });
});
