import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { parseSymvers } from '../../src/kmod/symvers.ts';
import { fuzzRuns } from './fuzz.ts';
import { readModuleFixture } from './fixtures.ts';

describe('parseSymvers()', () => {
  it('agrees with the module that modpost wrote it for', () => {
    const symbols = parseSymvers(readModuleFixture('Module.symvers').toString());
    const module = readModule(readModuleFixture('kl_provider.ko'));

    const expected = module.exports.map((entry) => ({ ...entry, owner: 'kl_provider' }));

    expect([...symbols.values()]).toEqual(expected);
  });

  it.each([
    ['since 5.6', '0x0b1c2d3e\tspaced\tdrivers/a/b\tEXPORT_SYMBOL_GPL\tSPACE\n', 'SPACE'],
    ['of 5.4', '0x0b1c2d3e\tspaced\tSPACE\tdrivers/a/b\tEXPORT_SYMBOL_GPL\n', 'SPACE'],
    ['of 5.4 without a namespace', '0x0b1c2d3e\tspaced\t\tdrivers/a/b\tEXPORT_SYMBOL_GPL\n', undefined],
    ['of 4.18', '0x0b1c2d3e\tspaced\tdrivers/a/b\tEXPORT_SYMBOL_GPL\n', undefined],
  ])('reads the form %s', (_form, text, namespace) => {
    const symbols = parseSymvers(text);

    expect(symbols.get('spaced')).toEqual({
      symbol: 'spaced',
      crc: 0x0b1c2d3e,
      owner: 'drivers/a/b',
      isGplOnly: true,
      namespace,
    });
  });

  it('keeps the first of two lines for one symbol', () => {
    const text = '0x1\ta\tvmlinux\tEXPORT_SYMBOL\t\n0x2\ta\tother\tEXPORT_SYMBOL\t\n';

    expect(parseSymvers(text).get('a')).toMatchObject({ crc: 1, owner: 'vmlinux', isGplOnly: false });
  });

  it('is not led astray by symbols that are named like members of objects', () => {
    const symbols = parseSymvers('0x1\t__proto__\tvmlinux\tEXPORT_SYMBOL\t\n');

    expect([...symbols.keys()]).toEqual(['__proto__']);
  });

  it.each(['0x1 a vmlinux EXPORT_SYMBOL', '1\ta\tvmlinux\tEXPORT_SYMBOL\t', '0x1\ta\tvmlinux\tOTHER\t'])(
    'names the line that it cannot read: %s',
    (line) => {
      expect(() => parseSymvers(`0x1\tb\tvmlinux\tEXPORT_SYMBOL\t\n${line}\n`)).toThrow(
        'line 2 is no symbol',
      );
    },
  );

  it('throws nothing but its own errors, whatever the text', () => {
    const part = fc.constantFrom(
      '0x1',
      'EXPORT_SYMBOL',
      'EXPORT_SYMBOL_GPL',
      'vmlinux',
      '\t',
      '\n',
      'a',
      '',
      '\0',
    );

    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 60 }), (parts) => {
        expect(caught(() => parseSymvers(parts.join('')))).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function caught(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    return error instanceof KmodError;
  }
}
