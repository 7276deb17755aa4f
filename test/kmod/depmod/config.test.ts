import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModuleError } from '../../../src/errors.ts';
import { configForKernel, parseDepmodConfig } from '../../../src/kmod/depmod/config.ts';
import { matchesKernel } from '../../../src/kmod/depmod/kernel-pattern.ts';
import { fuzzRuns } from '../fuzz.ts';

const KERNEL = '5.14.0-427.13.1.el9_4.x86_64';

function parse(
  text: string,
  name = 'dist.conf',
  directory = '/etc/depmod.d',
): ReturnType<typeof parseDepmodConfig> {
  return parseDepmodConfig([{ directory, name, text }]);
}

describe('parseDepmodConfig()', () => {
  it('reads each kind of line', () => {
    const config = parse(
      'search updates extra built-in external\n# a comment\noverride ice * weak-updates/ice\nexternal * /opt/modules\nexclude old .git\n',
    );

    expect(config).toEqual({
      search: [
        { kind: 'directory', path: 'updates' },
        { kind: 'directory', path: 'extra' },
        { kind: 'built-in' },
        { kind: 'external' },
      ],
      overrides: [{ module: 'ice', kernel: '*', directory: 'weak-updates/ice' }],
      externals: [{ kernel: '*', directory: '/opt/modules' }],
      excludes: ['old', '.git'],
    });
  });

  it('searches only updates when no line says anything', () => {
    const config = parseDepmodConfig([]);

    expect(config.search).toEqual([{ kind: 'directory', path: 'updates' }]);
  });

  it('joins lines that end in a backslash, and takes tabs for blanks', () => {
    const config = parse('search updates\\\n\textra\tbuilt-in\n');

    expect(config.search).toHaveLength(3);
  });

  it('takes backslashes away, as depmod does before it reads patterns', () => {
    const config = parse('external 5\\.14 /a\nexternal 5\\\\.14 /b\nexternal 4 /c\\\\\nsearch x\n');

    expect(config.externals).toEqual([
      { kernel: '4', directory: '/c\\' },
      { kernel: '5\\.14', directory: '/b' },
      { kernel: '5.14', directory: '/a' },
    ]);
    expect(config.search).toEqual([{ kind: 'directory', path: 'x' }]);
  });

  it('lets a file in etc hide one of the same name in usr/lib, and reads the rest by name', () => {
    const config = parseDepmodConfig([
      { directory: 'usr/lib/depmod.d', name: 'dist.conf', text: 'search hidden\n' },
      { directory: 'usr/lib/depmod.d', name: 'b.conf', text: 'search second\n' },
      { directory: 'etc/depmod.d', name: 'dist.conf', text: 'search third\n' },
      { directory: 'run/depmod.d', name: 'a.conf', text: 'search first\n' },
      { directory: 'etc/depmod.d', name: 'README', text: 'search never\n' },
    ]);

    expect(config.search).toEqual(['first', 'second', 'third'].map((path) => ({ kind: 'directory', path })));
  });

  it('skips lines that it does not understand', () => {
    const config = parse('override ice\nexternal *\nmake_map_files yes\nnonsense\n');

    expect(config).toMatchObject({ overrides: [], externals: [], excludes: [] });
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parse(text).search.length).toBeGreaterThan(0);
      }),
      { numRuns: fuzzRuns(100) },
    );
  });
});

describe('configForKernel()', () => {
  it('keeps the lines that are meant for the kernel', () => {
    const config = parse('override ice 5.14.* updates\noverride ice 4.18.* extra\nexternal 5\\.14 /opt/x\n');

    expect(configForKernel(config, KERNEL)).toMatchObject({
      overrides: ['updates/ice'],
      externals: ['/opt/x'],
    });
  });
});

describe('matchesKernel()', () => {
  it.each([
    ['*', true],
    ['5.14.0-427*', true],
    ['^5\\.14\\.0-[0-9]+\\.', true],
    ['el9_4\\.x86_64$', true],
    ['(aarch64|x86_64)', true],
    ['[[:digit:]]+\\.el9', true],
    ['^4\\.18', false],
    ['[', false],
    ['(', false],
    ['*el9', false],
    ['^*el9', false],
    ['el9{1}', true],
    ['el9{', false],
    ['\\d', false],
    [')', false],
    ['[[:foo:]]', false],
  ])('%s: %s', (pattern, expected) => {
    const isMatch = matchesKernel(pattern, KERNEL);

    expect(isMatch).toBe(expected);
  });

  it.each(['(a+)+$', 'a*b*c*d*e*', 'a+?', 'a{300}', '(a)\\1', '[[.a.]]', 'x'.repeat(300)])(
    'refuses %s, which could take for ever',
    (pattern) => {
      expect(() => matchesKernel(pattern, KERNEL)).toThrow(ModuleError);
    },
  );

  it('answers any pattern at once, or refuses it', () => {
    const pattern = fc.string({
      unit: fc.constantFrom(...'a b 0 5 . * + ? ( ) [ ] { } | ^ $ \\ - :'.split(' ')),
      maxLength: 40,
    });

    fc.assert(
      fc.property(pattern, (text) => {
        try {
          expect(typeof matchesKernel(text, KERNEL)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(ModuleError);
        }
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });
});
