import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const validate = new Ajv2020({ strict: true, strictRequired: false }).compile(
  JSON.parse(readFileSync('spec.schema.json', 'utf8')) as object,
);

describe('spec.schema.json', () => {
  it.each([
    ['minimal', true],
    ['full', true],
    ['five-mistakes', false],
  ])('judges %s.yaml as parseSpec() does', (name, isValid) => {
    const spec: unknown = parse(readFileSync(`fixtures/specs/${name}.yaml`, 'utf8'));

    expect(validate(spec), JSON.stringify(validate.errors)).toBe(isValid);
  });

  it('knows that a driver has one source', () => {
    const spec = parse(readFileSync('fixtures/specs/minimal.yaml', 'utf8')) as {
      drivers: { source: object }[];
    };
    spec.drivers[0]!.source = { directory: './src', files: ['acme.ko'] };

    expect(validate(spec)).toBe(false);
  });
});
