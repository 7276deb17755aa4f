import { describe, expect, it } from 'vitest';
import type { KernelModule } from '../../src/kmod/module.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import type { Check, TargetReport } from '../../src/verify/report.ts';
import { requireBuiltFor, requireLoadable } from '../../src/verify/require-loadable.ts';

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
    namespaceNames: [],
    thisModuleSizeBytes: 896,
    hasVersions: true,
    hasBtf: false,
    ...overrides,
  };
}

function check(module: KernelModule, fileName = 'ice.ko'): void {
  requireBuiltFor({ fileName, module, arch: 'x86_64', kernel: KERNEL });
}

describe('requireBuiltFor()', () => {
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

describe('requireLoadable()', () => {
  const symbols: Check = {
    id: 'symbol-crcs',
    status: 'fail',
    message: 'the kernel disagrees about 1 symbol',
    hint: 'Build it again.',
    details: [
      {
        subject: 'ib_register',
        message: 'it has another CRC',
        wanted: '0x00000001',
        found: '0x00000002',
        provider: 'kernel/drivers/infiniband/core/ib_core.ko.xz',
      },
    ],
  };

  function reportOf(checks: readonly Check[], changes: Partial<TargetReport> = {}): TargetReport {
    const verdict = checks.some(({ status }) => status === 'fail') ? 'fails' : 'passes';
    return {
      subject: 'oci:base',
      kernel: KERNEL,
      arch: 'x86_64',
      verdict,
      statement: '',
      modules: [{ name: 'ice', path: 'extra/ice/ice.ko', verdict, checks, symbols: [], dependencies: [] }],
      overrides: [],
      findings: [],
      evidence: [],
      ...changes,
    };
  }

  it('lets a report pass that has warnings at most', () => {
    const report = reportOf([{ ...symbols, status: 'warn' }]);

    expect(() => {
      requireLoadable(report);
    }).not.toThrow();
  });

  it('names module, check, what was wanted, what was found, and who provides it', () => {
    expect(() => {
      requireLoadable(reportOf([symbols]));
    }).toThrow(
      expect.objectContaining({
        code: 'WOULD_NOT_LOAD',
        message:
          `Cannot ship this to kernel ${KERNEL}: extra/ice/ice.ko fails symbol-crcs: the kernel disagrees about 1 ` +
          'symbol (ib_register: it has another CRC, wanted 0x00000001, found 0x00000002, provided by ' +
          'kernel/drivers/infiniband/core/ib_core.ko.xz)',
        hint: 'Build it again.',
      }),
    );
  });

  it('counts what would make the message too long, and names broken rules', () => {
    const detail = { subject: 's', message: 'm' };
    const many = { ...symbols, details: Array.from({ length: 7 }, () => detail) };
    const report = reportOf(
      Array.from({ length: 5 }, () => many),
      { findings: [{ rule: 'dropped-path', severity: 'error', message: 'it is dropped' }] },
    );

    expect(() => {
      requireLoadable(report);
    }).toThrow(/, and 2 more\).*; and 1 more$/);
  });
});
