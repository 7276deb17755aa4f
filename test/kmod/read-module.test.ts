import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { findModinfo, listModinfo } from '../../src/kmod/module.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { readModuleFixture } from './fixtures.ts';
import { fuzzRuns, mutated } from './fuzz.ts';
import { makeElf, type MadeSymbol } from './make-elf.ts';

describe('readModule() on real modules', () => {
  it('lists the exports with CRC, licence class and namespace as modpost wrote them', () => {
    const module = readModule(readModuleFixture('kl_provider.ko'));

    expect(module.exports).toEqual([
      { symbol: 'kl_open', crc: 0xf04b5560, isGplOnly: false, namespace: undefined },
      { symbol: 'kl_gpl', crc: 0x2197312b, isGplOnly: true, namespace: undefined },
      { symbol: 'kl_spaced', crc: 0xacfa705e, isGplOnly: true, namespace: 'KL_NAMESPACE' },
    ]);
    expect(module).toMatchObject({
      arch: 'x86_64',
      machine: 62,
      isLittleEndian: true,
      thisModuleSizeBytes: 896,
      hasVersions: true,
      hasBtf: false,
    });
  });

  it('lists the imports in symbol table order, weak ones included, then what only __versions names', () => {
    const module = readModule(readModuleFixture('kl_consumer.ko'));

    expect(module.imports.map(({ symbol, isWeak }) => (isWeak ? `${symbol} (weak)` : symbol))).toEqual([
      '__fentry__',
      '_printk',
      'kl_open',
      'kl_spaced',
      'param_ops_charp',
      '__x86_return_thunk',
      'param_ops_bool',
      'kl_missing (weak)',
      'param_ops_int',
      'kl_gpl',
      'module_layout',
    ]);
    expect(module.imports.at(-1)).toMatchObject({ symbol: 'module_layout' });
  });

  it('keeps the fields of modinfo in their order', () => {
    const module = readModule(readModuleFixture('kl_consumer.ko'));

    expect(findModinfo(module, 'vermagic')).toBe('6.1.0-56-amd64 SMP preempt mod_unload modversions ');
    expect(listModinfo(module, 'alias')).toEqual([
      'kl-consumer',
      'pci:v00008086d00001593sv*sd*bc*sc*i*',
      'pci:v00008086d00001592sv*sd*bc*sc*i*',
    ]);
    expect(listModinfo(module, 'firmware')).toEqual(['kl/two.bin', 'kl/one.bin']);
  });

  it('reads a module that has something after it', () => {
    const module = readModuleFixture('kl_provider.ko');

    const withTail = readModule(Buffer.concat([module, Buffer.from('~Module signature appended~\n')]));

    expect(withTail).toEqual(readModule(module));
  });
});

const BYTE_ORDERS = [
  { is64Bit: true, isLittleEndian: true, machine: 62, arch: 'x86_64' },
  { is64Bit: true, isLittleEndian: true, machine: 183, arch: 'aarch64' },
  { is64Bit: true, isLittleEndian: true, machine: 21, arch: 'ppc64le' },
  { is64Bit: true, isLittleEndian: false, machine: 22, arch: 's390x' },
  { is64Bit: true, isLittleEndian: false, machine: 21, arch: undefined },
  { is64Bit: false, isLittleEndian: true, machine: 3, arch: undefined },
  { is64Bit: false, isLittleEndian: false, machine: 8, arch: undefined },
] as const;

describe.each(BYTE_ORDERS)('readModule() on machine $machine ($arch)', ({ arch, ...shape }) => {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (shape.isLittleEndian) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const versionRecord = (name: string, crc: number): Buffer => {
    const field = !shape.is64Bit
      ? [u32(crc)]
      : shape.isLittleEndian
        ? [u32(crc), u32(0)]
        : [u32(0), u32(crc)];
    const bytes = Buffer.alloc(64);
    Buffer.concat([...field, Buffer.from(name)]).copy(bytes);
    return bytes;
  };

  it('reads symbols and CRCs in its byte order', () => {
    const bytes = makeElf({
      ...shape,
      sections: [
        {
          name: '__versions',
          bytes: Buffer.concat([
            versionRecord('module_layout', 0x8899aabb),
            versionRecord('.used', 0x01020304),
          ]),
        },
        { name: '__kcrctab_gpl', bytes: Buffer.concat([u32(7), u32(0xdeadbeef)]) },
        { name: '__ksymtab_gpl', bytes: Buffer.alloc(24) },
      ],
      symbols: [
        { name: '__crc_given', section: '__kcrctab_gpl', value: 4 },
        { name: '__crc_absolute', section: 0xfff1, value: 0xfedcba98 },
        { name: '__ksymtab_given', section: '__ksymtab_gpl' },
        { name: '.used' },
        { name: 'maybe', isWeak: true },
      ],
    });

    const module = readModule(bytes);

    expect(module).toMatchObject({ arch, machine: shape.machine, isLittleEndian: shape.isLittleEndian });
    expect(module.imports).toEqual([
      { symbol: 'used', isWeak: false, crc: 0x01020304 },
      { symbol: 'maybe', isWeak: true, crc: undefined },
      { symbol: 'module_layout', isWeak: false, crc: 0x8899aabb },
    ]);
    expect(module.exports).toEqual([
      { symbol: 'given', crc: 0xdeadbeef, isGplOnly: true, namespace: undefined },
      { symbol: 'absolute', crc: 0xfedcba98, isGplOnly: false, namespace: undefined },
    ]);
  });
});

describe('readModule() on unusual modules', () => {
  it('takes the strings of the symbol table for exports when there are no CRCs, names of namespaces too', () => {
    const bytes = makeElf({
      sections: [{ name: '__ksymtab_strings', bytes: Buffer.from('one\0NAMESPACE\0\0two\0') }],
      symbols: [{ name: '__kstrtabns_two', section: '__ksymtab_strings', value: 4 }],
    });

    const module = readModule(bytes);

    expect(module.exports.map(({ symbol, namespace }) => [symbol, namespace])).toEqual([
      ['one', undefined],
      ['NAMESPACE', undefined],
      ['two', 'NAMESPACE'],
    ]);
    expect(module.hasVersions).toBe(false);
  });

  it('tells exports without CRCs from namespaces by the symbols of their table', () => {
    const bytes = makeElf({
      sections: [{ name: '__ksymtab_strings', bytes: Buffer.from('one\0NAMESPACE\0\0two\0') }],
      symbols: [
        { name: '__ksymtab_one', section: '__ksymtab_strings' },
        { name: '__ksymtab_two', section: '__ksymtab_strings' },
      ],
    });

    const module = readModule(bytes);

    expect(module.exports.map(({ symbol }) => symbol)).toEqual(['one', 'two']);
    expect(module.namespaceNames).toEqual(['NAMESPACE']);
  });

  it('does not take the table of contents of PowerPC for an import', () => {
    const module = readModule(makeElf({ machine: 21, symbols: [{ name: '.TOC.' }, { name: '.used' }] }));

    expect(module.imports.map(({ symbol }) => symbol)).toEqual(['used']);
  });

  it('prefers extended versions, as the kernel does', () => {
    const longName = `_R${'x'.repeat(100)}`;
    const basic = Buffer.alloc(64);
    basic.writeUInt32LE(1);
    basic.write('module_layout', 8);
    const bytes = makeElf({
      sections: [
        { name: '__versions', bytes: basic },
        { name: '__version_ext_crcs', bytes: Buffer.from([2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]) },
        {
          name: '__version_ext_names',
          bytes: Buffer.from(`module_layout\0${longName}\0not_read_by_depmod\0`),
        },
      ],
      symbols: [{ name: longName }],
    });

    const module = readModule(bytes);

    expect(module.imports).toEqual([
      { symbol: longName, isWeak: false, crc: 3 },
      { symbol: 'module_layout', isWeak: false, crc: 2 },
    ]);
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('#!/bin/sh\necho this is not a module\n')],
    ['a program instead of an object', withByte(makeElf(), 16, 2)],
    ['a header alone', makeElf().subarray(0, 64)],
    ['the first half of a module', readModuleFixture('kl_provider.ko').subarray(0, 2900)],
    [
      'two CRCs sections that disagree',
      makeElf({ sections: [{ name: '__version_ext_crcs', bytes: Buffer.alloc(4) }] }),
    ],
    ['half a version', makeElf({ sections: [{ name: '__versions', bytes: Buffer.alloc(63) }] })],
    ['two symbol tables', makeElf({ sections: [{ name: '.symtab2', bytes: Buffer.alloc(24), type: 2 }] })],
  ])('refuses %s', (_what, bytes) => {
    expect(() => readModule(bytes)).toThrow(expect.objectContaining({ code: 'ELF_INVALID' }));
  });

  it('refuses in no time a symbol table whose many names are one long string', () => {
    const name = 'n'.repeat(4000);
    const symbols: MadeSymbol[] = Array.from({ length: 20_000 }, () => ({ name }));

    expect(() => readModule(makeElf({ symbols }))).toThrow('overlap beyond measure');
  });
});

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  bytes[at] = value;
  return bytes;
}

describe('readModule() on damaged modules', () => {
  it.each(['kl_provider.ko', 'kl_consumer.ko'])(
    'throws nothing but its own errors for a damaged %s',
    (name) => {
      fc.assert(
        fc.property(mutated(readModuleFixture(name)), (bytes) => {
          expect(throwsOwnErrorsOnly(bytes)).toBe(true);
        }),
        { numRuns: fuzzRuns(300) },
      );
    },
  );

  it('throws nothing but its own errors when the headers are damaged', () => {
    const made = [true, false].flatMap((is64Bit) =>
      [true, false].map((isLittleEndian) =>
        makeElf({
          is64Bit,
          isLittleEndian,
          sections: [
            { name: '__versions', bytes: Buffer.alloc(128, 'x') },
            { name: '.modinfo', bytes: Buffer.from('a=b\0') },
          ],
          symbols: [{ name: 'a' }, { name: '__crc_b', section: '.modinfo' }],
        }),
      ),
    );

    fc.assert(
      fc.property(fc.oneof(...made.map(mutated)), (bytes) => {
        expect(throwsOwnErrorsOnly(bytes)).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  it('throws nothing but its own errors for bytes that only begin as ELF does', () => {
    const start = fc.constantFrom([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], [0x7f, 0x45, 0x4c, 0x46, 1, 2, 1]);

    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 500 }), (magic, rest) => {
        expect(throwsOwnErrorsOnly(Buffer.concat([Buffer.from(magic), rest]))).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function throwsOwnErrorsOnly(bytes: Buffer): boolean {
  try {
    readModule(bytes);
    return true;
  } catch (error) {
    return error instanceof KmodError;
  }
}
