import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fillUnit,
  parseUnitName,
  unitCommand,
  unitText,
  unitVariable,
} from '../../src/manifests/systemd-unit.ts';
import { SpecError } from '../../src/errors.ts';

/** What is in one pair of double quotes, as systemd.syntax(7) reads it. */
function unquoted(text: string): string {
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  if (inner === undefined) throw new Error(`not one quoted word: ${text}`);
  return inner.replaceAll(/\\(["\\])/g, '$1').replaceAll('%%', '%');
}

const line = fc.string({ unit: 'grapheme' });

describe('Values of units', () => {
  it('are read back as they were, or refused', () => {
    fc.assert(
      fc.property(line, (value) => {
        let text = '';
        try {
          text = unitVariable('NAME', value);
        } catch (error) {
          expect(error).toBeInstanceOf(SpecError);
          return;
        }
        expect(text).not.toMatch(/[\0-\x1f\x7f]/);
        expect(text.replaceAll('%%', '')).not.toContain('%');
        expect(unquoted(text)).toBe(`NAME=${value}`);
      }),
    );
  });

  it('never start a variable in a command', () => {
    expect(unitCommand('/usr/bin/a', '$HOME', '%n', '"', 'a b', ';')).toBe(
      String.raw`/usr/bin/a "$$HOME" "%%n" "\"" "a b" ";"`,
    );
  });

  it.each(['a\nExecStartPre=/bin/evil', 'a\0', 'a\r', '\u2028', '\ud800', 'x'.repeat(1_000_000)])(
    'cannot be %j',
    (text) => {
      expect(() => unitText(text)).toThrow(/^A unit cannot hold/);
      expect(() => unitVariable('NAME', text)).toThrow(/^A unit cannot hold/);
      expect(() => unitCommand('/bin/a', text)).toThrow(/^A unit cannot hold/);
    },
  );

  it('are not trimmed or joined with the next line', () => {
    for (const text of [' a', 'a ', 'a\\']) expect(() => unitText(text)).toThrow(/^A unit cannot hold/);
    expect(unitText('50 % of it')).toBe('50 %% of it');
  });

  it.each(['', 'A-B', '1A', 'A B', 'A=B', 'A\n'])('are not for the variable %j', (name) => {
    expect(() => unitVariable(name, 'x')).toThrow(/^A unit cannot hold/);
  });

  it.each(['true', '-/bin/true', '/bin/a b', '@/bin/a'])('are not run by %j', (program) => {
    expect(() => unitCommand(program)).toThrow(/^A unit cannot hold/);
  });
});

describe('fillUnit()', () => {
  const template =
    '[Unit]\nDescription=A\n\n[Service]\nType=oneshot\n\n[Install]\nWantedBy=multi-user.target\n';

  it('adds lines at the ends of sections', () => {
    const text = fillUnit(template, {
      Unit: [['Before', unitText('a.service')]],
      Service: [['Environment', unitVariable('A', 'b c')]],
    });

    expect(text).toBe(
      '[Unit]\nDescription=A\nBefore=a.service\n\n[Service]\nType=oneshot\nEnvironment="A=b c"\n\n' +
        '[Install]\nWantedBy=multi-user.target\n',
    );
  });

  it('leaves the rest as it is', () => {
    expect(fillUnit(template, {})).toBe(template);
  });
});

describe('parseUnitName()', () => {
  it.each(['a.service', 'a@.service', 'a@b-c.service', 'a.mount'])('takes %s', (name) => {
    expect(parseUnitName(name)).toBe(name);
  });

  it.each(['', 'a', 'a.servic', '.service', 'a b.service', 'a/b.service', 'a\n.service', 'a@b@c.service'])(
    'refuses %j',
    (name) => {
      expect(() => parseUnitName(name)).toThrow(/^Cannot use unit name/);
    },
  );
});
