import { describe, expect, it } from 'vitest';
import { parseSymvers } from '../../src/kmod/symvers.ts';
import { findSymbolChanges } from '../../src/verify/symbol-changes.ts';

const GPL = [{ key: 'license', value: 'GPL' }];
const PROPRIETARY = [{ key: 'license', value: 'Proprietary' }];

function changes(before: string, after: string, { crc = 0x11111111, isWeak = false, modinfo = GPL } = {}) {
  const kernels = { before: parseSymvers(before), after: parseSymvers(after) };
  const found = findSymbolChanges({ imports: [{ symbol: 'wake', isWeak, crc }], modinfo }, kernels);
  return found.map(({ change }) => change);
}

const line = (crc: string, kind = 'EXPORT_SYMBOL', namespace = ''): string =>
  `${crc}\twake\tvmlinux\t${kind}\t${namespace}\n`;
const SAME = line('0x11111111');

describe('a symbol that a module uses', () => {
  it('is what it was when nothing changed', () => {
    expect(changes(SAME, SAME)).toEqual([]);
  });

  it('is another one with another CRC', () => {
    expect(changes(SAME, line('0x22222222'))).toEqual(['crc']);
  });

  it('is compared with what the module was built against, which may be older than both kernels', () => {
    expect(changes(line('0x22222222'), SAME)).toEqual([]);
    expect(changes(line('0x22222222'), line('0x22222222'))).toEqual(['crc']);
  });

  it('is compared between the kernels when the module has no CRC of it', () => {
    expect(changes(SAME, line('0x22222222'), { crc: undefined })).toEqual(['crc']);
  });

  it('is gone when nothing exports it, unless the module does without', () => {
    expect(changes(SAME, '')).toEqual(['gone']);
    expect(changes(SAME, '', { isWeak: true })).toEqual([]);
  });

  it('is out of reach in a namespace that the module does not import', () => {
    const moved = line('0x11111111', 'EXPORT_SYMBOL', 'DMA_BUF');

    expect(changes(SAME, moved)).toEqual(['namespace']);
    expect(changes(SAME, moved, { modinfo: [...GPL, { key: 'import_ns', value: 'DMA_BUF' }] })).toEqual([]);
    expect(changes(moved, SAME)).toEqual([]);
  });

  it('is out of reach for a proprietary module once it is for the GPL only', () => {
    const restricted = line('0x11111111', 'EXPORT_SYMBOL_GPL');

    expect(changes(SAME, restricted, { modinfo: PROPRIETARY })).toEqual(['gpl-only']);
    expect(changes(SAME, restricted)).toEqual([]);
  });

  it('is none of the kernel when neither kernel exports it', () => {
    expect(changes('', '')).toEqual([]);
    expect(changes('', SAME)).toEqual([]);
  });
});
