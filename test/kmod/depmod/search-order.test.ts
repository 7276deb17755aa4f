import { describe, expect, it } from 'vitest';
import { configForKernel, parseDepmodConfig } from '../../../src/kmod/depmod/config.ts';
import { chooseFile, isSearched } from '../../../src/kmod/depmod/search-order.ts';

const RHEL = 'search updates extra built-in weak-updates\n';

function config(text: string): ReturnType<typeof configForKernel> {
  return configForKernel(
    parseDepmodConfig([{ directory: 'etc/depmod.d', name: 'a.conf', text }]),
    '5.14.0-1.x86_64',
  );
}

describe('chooseFile()', () => {
  it.each([
    [RHEL, ['updates/mc.ko', 'extra/mc.ko', 'kernel/mc.ko', 'weak-updates/mc.ko'], 'updates/mc.ko'],
    [RHEL, ['extra/mc.ko', 'kernel/mc.ko', 'weak-updates/mc.ko'], 'extra/mc.ko'],
    [RHEL, ['kernel/mc.ko.xz', 'weak-updates/mc.ko'], 'kernel/mc.ko.xz'],
    ['', ['updates/mc.ko', 'kernel/mc.ko'], 'updates/mc.ko'],
    [
      `${RHEL}override mc * weak-updates/pkg\n`,
      ['updates/mc.ko', 'weak-updates/pkg/mc.ko.xz'],
      'weak-updates/pkg/mc.ko.xz',
    ],
    [
      'search updates external built-in\nexternal * /opt/x\n',
      ['/opt/x/mc.ko', 'kernel/mc.ko'],
      '/opt/x/mc.ko',
    ],
    [
      'search updates external built-in\nexternal * /opt/x\n',
      ['/opt/x/mc.ko', 'updates/mc.ko'],
      'updates/mc.ko',
    ],
  ])('with %j and %j takes %s, as depmod 30 does', (text, paths, expected) => {
    expect(chooseFile(paths, config(text))).toBe(expected);
    expect(chooseFile(paths.toReversed(), config(text))).toBe(expected);
  });

  it.each([
    [RHEL, ['extra/a/mc.ko', 'extra/b/mc.ko']],
    [RHEL, ['kernel/a/mc.ko', 'mc.ko']],
    [RHEL, ['extra/mc.ko', 'extra/mc.ko.xz']],
    ['', ['extra/mc.ko', 'kernel/mc.ko']],
  ])('with %j refuses %j, between which the file system would decide', (text, paths) => {
    expect(() => chooseFile(paths, config(text))).toThrow(
      expect.objectContaining({ code: 'DUPLICATE_MODULE' }),
    );
  });
});

describe('isSearched()', () => {
  it.each([
    ['extra/ice/ice.ko', true],
    ['build/ice.ko', false],
    ['extra/source/ice.ko', false],
    ['extra/old/ice.ko', false],
  ])('%s: %s', (path, expected) => {
    expect(isSearched(path, config('exclude old\n'))).toBe(expected);
  });
});
