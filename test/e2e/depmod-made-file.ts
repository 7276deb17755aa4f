import { execFileSync } from 'node:child_process';
import { makeElf, type MadeSection, type MadeSymbol } from '../kmod/make-elf.ts';
import type { MadeModule } from './depmod-made.ts';

/** A made-up module as an ELF file without code, before it is compressed. */
export function toElf({ form, ...module }: MadeModule): Buffer {
  const { is64Bit, isLittleEndian } = form;
  const exported = module.exports.map((symbol) => `${symbol}\0`).join('');
  const sections: MadeSection[] = [
    { name: '.modinfo', bytes: Buffer.from(module.modinfo.map((text) => `${text}\0`).join('')) },
    { name: '__ksymtab_strings', bytes: Buffer.from(exported === '' ? '' : `${exported}\0NAMESPACE\0`) },
    { name: '.gnu.linkonce.this_module', bytes: Buffer.alloc(64) },
  ];
  const symbols: MadeSymbol[] = module.imports.map((name, at) => ({ name, isWeak: at % 4 === 3 }));
  if (form.hasModversions) {
    sections.push({ name: '__versions', bytes: toVersions(module, is64Bit) });
    const crcs = Buffer.alloc(4 * module.exports.length, 7);
    if (form.hasCrcSection) sections.push({ name: '__kcrctab', bytes: crcs });
    for (const [at, symbol] of module.exports.entries()) {
      const name = `__crc_${symbol}`;
      if (form.hasCrcSection) symbols.push({ name, section: '__kcrctab', value: 4 * at });
      else symbols.push({ name, section: SHN_ABS, value: 0x1234 + at });
    }
  }
  if (module.extendedVersions.length > 0) {
    const names = module.extendedVersions.map((name) => `${name}\0`).join('');
    sections.push({ name: '__version_ext_crcs', bytes: Buffer.alloc(4 * module.extendedVersions.length, 9) });
    sections.push({ name: '__version_ext_names', bytes: Buffer.from(names) });
  }
  if (form.hasTableSymbols) {
    for (const symbol of module.exports) symbols.push({ name: `__ksymtab_${symbol}`, section: '.modinfo' });
  }
  return makeElf({ is64Bit, isLittleEndian, sections, symbols, machine: machineOf(form) });
}

const SHN_ABS = 0xfff1;

/** x86_64 and i386, s390x and 32-bit MIPS. */
function machineOf({ is64Bit, isLittleEndian }: MadeModule['form']): number {
  if (is64Bit) return isLittleEndian ? 62 : 22;
  return isLittleEndian ? 3 : 8;
}

function toVersions(
  { versions, imports }: Pick<MadeModule, 'versions' | 'imports'>,
  is64Bit: boolean,
): Buffer {
  const names = [...new Set(['module_layout', ...versions, ...imports])];
  return Buffer.concat(
    names.map((name) => {
      const record = Buffer.alloc(64);
      record.writeUInt32LE(1, 0);
      record.write(name.slice(0, 50), is64Bit ? 8 : 4);
      return record;
    }),
  );
}

/** The bytes of a module's file. kmod 34 asks zstd for the size of what was packed. */
export function packModule(bytes: Buffer, compression: string): Buffer {
  if (compression === '.xz') return execFileSync('xz', ['-0c', '--check=crc32'], { input: bytes });
  if (compression !== '.zst') return bytes;
  return execFileSync('zstd', ['-qc1', `--stream-size=${bytes.length}`], { input: bytes });
}
