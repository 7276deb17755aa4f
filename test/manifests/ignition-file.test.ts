import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeIgnitionFile, parseAbsolutePath, parseNodePath } from '../../src/manifests/ignition-file.ts';

describe('parseNodePath()', () => {
  it.each(['/etc/kvc/a.conf', '/usr/local/bin/a-b_c@d+e.sh', '/var/lib/x'])('takes %s', (path) => {
    expect(parseNodePath(path)).toBe(path);
  });

  it.each([
    ...[
      '',
      'etc/a',
      '/',
      '/etc/',
      '/etc//a',
      '/etc/./a',
      '/etc/../a',
      '/etc/a/..',
      '/etc/a b',
      '/etc/a\n',
      '/etc/%n',
    ],
    ...['/etc/$(id)', '/etc/a:b', `/etc/${'a'.repeat(1_000_000)}`],
  ])('refuses %j as no simple path', (path) => {
    expect(() => parseNodePath(path)).toThrow(/^Cannot use path/);
  });

  it.each(['/usr/bin/a', '/run/machine-config-daemon-force', '/proc/a', '/boot/a', '/a', '/usr/local'])(
    'refuses %s, which is read-only or not kept',
    (path) => {
      expect(parseAbsolutePath(path)).toBe(path);
      expect(() => parseNodePath(path)).toThrow(/read-only/);
    },
  );
});

describe('makeIgnitionFile()', () => {
  const path = parseNodePath('/etc/a');

  it('keeps every byte in a data URL', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (contents) => {
        const { source } = makeIgnitionFile({ path, mode: 0o644, contents }).contents;

        const [, base64 = '-'] = /^data:text\/plain;base64,([A-Za-z0-9+/]*={0,2})$/.exec(source) ?? [];
        expect(Buffer.from(base64, 'base64')).toEqual(Buffer.from(contents));
      }),
    );
  });

  it.each([-1, 0o1000, 0o4755, 1.5, NaN])('refuses the mode %d', (mode) => {
    expect(() => makeIgnitionFile({ path, mode, contents: '' })).toThrow(/Cannot give \/etc\/a mode/);
  });
});
