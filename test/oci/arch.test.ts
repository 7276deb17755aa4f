import { describe, expect, it } from 'vitest';
import { ARCHES, findArch, goArchOf, parseArch } from '../../src/oci/arch.ts';

describe('parseArch()', () => {
  it.each(ARCHES)('reads both spellings of %s', (arch) => {
    expect(parseArch(arch)).toBe(arch);
    expect(parseArch(goArchOf(arch))).toBe(arch);
    expect(findArch(goArchOf(arch))).toBe(arch);
  });

  it.each(['', 'X86_64', 'i386', 'riscv64', '__proto__'])('refuses %j', (text) => {
    expect(() => parseArch(text)).toThrow(expect.objectContaining({ code: 'PLATFORM_MISSING' }));
    expect(findArch(text)).toBeUndefined();
  });
});
