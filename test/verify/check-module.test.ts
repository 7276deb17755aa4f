import { describe, expect, it } from 'vitest';
import type { KernelModule } from '../../src/kmod/module.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { checkModule } from '../../src/verify/check-module.ts';

const KERNEL = parseKernelRelease('5.14.0-427.50.1.el9_4.x86_64');

function moduleWith(
  overrides: Partial<KernelModule>,
  modinfo: Readonly<Record<string, string>> = {},
): KernelModule {
  const fields = { vermagic: `${KERNEL} SMP preempt mod_unload modversions `, name: 'ice', ...modinfo };
  return {
    arch: 'x86_64',
    machine: 62,
    isLittleEndian: true,
    modinfo: Object.entries(fields).map(([key, value]) => ({ key, value })),
    imports: [],
    exports: [],
    thisModuleSizeBytes: 896,
    hasVersions: true,
    hasBtf: false,
    ...overrides,
  };
}

function check(module: KernelModule, fileName = 'ice.ko'): void {
  checkModule({ fileName, module, arch: 'x86_64', kernel: KERNEL });
}

describe('checkModule()', () => {
  it('accepts a module that was built for this kernel', () => {
    expect(() => {
      check(moduleWith({}));
    }).not.toThrow();
  });

  it('accepts a file whose name has "-" where the module has "_"', () => {
    expect(() => {
      check(moduleWith({}, { name: 'my_mod' }), 'my-mod.ko.xz');
    }).not.toThrow();
  });

  it.each([
    {
      what: 'another architecture',
      module: moduleWith({ arch: 'aarch64', machine: 183 }),
      code: 'ARCH_MISMATCH',
      says: 'aarch64',
    },
    {
      what: 'an unknown machine',
      module: moduleWith({ arch: undefined, machine: 243 }),
      code: 'ARCH_MISMATCH',
      says: 'ELF machine 243',
    },
    {
      what: 'another kernel',
      module: moduleWith({}, { vermagic: '5.14.0-1 SMP ' }),
      code: 'KERNEL_MISMATCH',
      says: '5.14.0-1',
    },
    { what: 'another name', module: moduleWith({}, { name: 'other' }), code: 'NAME_MISMATCH', says: 'other' },
  ])('refuses a module of $what, and says what it found', ({ module, code, says }) => {
    const run = (): void => {
      check(module);
    };

    expect(run).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) as string }));
  });

  it('refuses a module without vermagic', () => {
    const module = { ...moduleWith({}), modinfo: [] };

    expect(() => {
      check(module);
    }).toThrow('it has no vermagic');
  });
});
