import { LineCounter } from 'yaml';
import { describe, expect, it } from 'vitest';
import { parseMirrorSets } from '../src/registry/mirror-sets.ts';
import { readDocument } from '../src/spec/document.ts';
import { readManifests } from '../src/verify/manifest/read-manifests.ts';
import { readYamlDocuments } from '../src/yaml-documents.ts';

/** Nesting of each kind that YAML has, deep enough to fill the stack of what composes it. */
const DEEP: readonly (readonly [string, string])[] = [
  ['brackets', '['.repeat(100_000)],
  ['brackets that are closed', `a: ${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['braces', '{a: '.repeat(50_000)],
  ['lists in lists', '- '.repeat(100_000)],
  ['mappings as keys', '? '.repeat(100_000)],
  ['indentation', Array.from({ length: 500 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')],
  ['a second document', `a: 1\n---\n${'['.repeat(100_000)}`],
];

describe('readYamlDocuments()', () => {
  it('returns one document at least', () => {
    expect(readYamlDocuments('')).toHaveLength(1);
    expect(readYamlDocuments('a: 1\n---\nb: 2\n').map((document) => document.toJS() as unknown)).toEqual([
      { a: 1 },
      { b: 2 },
    ]);
  });

  it('learns where lines begin', () => {
    const lineCounter = new LineCounter();
    readYamlDocuments('a: 1\nb: 2\n', { lineCounter });

    expect(lineCounter.linePos(5)).toEqual({ line: 2, col: 1 });
  });

  it.each(DEEP)('refuses %s that nest too deeply', (_, text) => {
    expect(() => readYamlDocuments(text)).toThrow('it nests deeper than 300 levels');
  });

  it('takes what people write', () => {
    const text = `${'['.repeat(200)}${']'.repeat(200)}`;

    expect(readYamlDocuments(text)[0]?.errors).toEqual([]);
  });
});

describe('Readers of specs, mirror sets and manifests', () => {
  it.each(DEEP)('refuse %s that nest too deeply', (_, text) => {
    const deep = 'nests deeper than 300 levels';

    expect(readDocument(text).problems).toEqual([
      expect.objectContaining({
        message: `Cannot read this YAML: it ${deep}`,
        line: expect.any(Number) as number,
      }),
    ]);
    expect(readManifests('a.yaml', text).problems[0]?.message).toContain(deep);
    expect(() => parseMirrorSets(text, 'idms.yaml')).toThrow(
      expect.objectContaining({ code: 'MIRROR_INVALID', message: expect.stringContaining(deep) as string }),
    );
  });
});
