import {
  type ElfFile,
  type ElfSection,
  findSymbolTable,
  SHF_ALLOC,
  SHN_ABS,
  SHT_NOBITS,
  SHT_REL,
  SHT_RELA,
  type SymbolTable,
} from '../../kmod/elf.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import { hasChangeOf } from '../kernel-version.ts';
import type { Check, CheckDetail } from '../report.ts';
import type { Subject } from '../subject.ts';
import { countOf, resultsOf } from './check.ts';
import {
  POWER_SINCE_6_3,
  RELOCATION_TYPES,
  type RelocationTypes,
  UNKNOWN,
  X86_64_32,
} from './relocation-types.ts';

const EM_PPC64 = 21;
const EM_X86_64 = 62;
/** Marks relocations that live patching applies by itself. */
const SHF_RELA_LIVEPATCH = 0x0010_0000;
const RECORD_BYTES = 24;
const SYMBOL_BYTES = 24;
/** Findings that the report names; a broken file may have millions. */
const MAX_DETAILS = 20;

/** Sections that the loader keeps out of memory, whatever their flags say: what is relocated there does not matter. */
const NOT_LOADED = /^(?:\.modinfo|__versions|__version_ext_crcs|__version_ext_names|\.data\.\.percpu)$/;

/** Can the module be put together in memory? Its symbols have sections, and its relocations types and places. */
export function checkRelocations(elf: ElfFile, subject: Subject, kernel: KernelFacts): Check {
  const { pass, fail } = resultsOf('relocations');
  const { commons, strays } = subject.symbols;
  if (commons.length > 0) {
    return fail(`it has ${countOf(commons.length, 'common symbol')}, which the loader refuses`, {
      details: commons.map((symbol) => ({ subject: symbol, message: 'it is in no section' })),
      hint: 'Compile with -fno-common.',
    });
  }
  if (strays.length > 0) {
    return fail(`${countOf(strays.length, 'symbol')} are in sections that it does not have`, {
      details: strays.map(({ symbol, sectionIndex }) => ({
        subject: symbol,
        message: `it is in section ${sectionIndex} of ${elf.sections.length}`,
      })),
    });
  }
  const known = typesOf(elf, kernel);
  const table = findSymbolTable(elf);
  const details: CheckDetail[] = [];
  const places = new Map<number, Uint8Array>();
  for (const section of elf.sections) {
    const target = elf.sections[section.info];
    if (target === undefined || (target.flags & SHF_ALLOC) === 0 || NOT_LOADED.test(target.name)) continue;
    if (section.type === SHT_REL) {
      details.push({
        subject: section.name,
        message: 'it holds relocations of a form that the loader does not read',
      });
    } else if (section.type === SHT_RELA && (section.flags & SHF_RELA_LIVEPATCH) === 0) {
      const written = places.get(section.info) ?? new Uint8Array((target.sizeBytes >>> 3) + 1);
      places.set(section.info, written);
      const message = findBadRelocation({ elf, table, section, target, known, written });
      if (message !== undefined) details.push({ subject: section.name, message });
    }
    if (details.length === MAX_DETAILS) break;
  }
  if (details.length === 0) return pass('the loader can put it together in memory');
  return fail('the loader cannot put it together in memory', {
    details,
    hint: 'Build the module with the compiler flags of the kernel, and do not change the file afterwards.',
  });
}

function typesOf(elf: ElfFile, kernel: KernelFacts): RelocationTypes {
  if (elf.machine === EM_PPC64 && hasChangeOf(kernel, [6, 3])) return POWER_SINCE_6_3;
  return RELOCATION_TYPES.get(elf.machine) ?? new Int8Array();
}

interface Relocated {
  readonly elf: ElfFile;
  readonly table: SymbolTable;
  readonly section: ElfSection;
  readonly target: ElfSection;
  readonly known: RelocationTypes;
  /** A bit for each byte of the target where something was put before. */
  readonly written: Uint8Array;
}

/** What is wrong with the first bad relocation of a section. */
function findBadRelocation({ elf, table, section, target, known, written }: Relocated): string | undefined {
  const { view, isLittleEndian } = elf;
  const [low, high] = isLittleEndian ? [0, 4] : [4, 0];
  const isX86 = elf.machine === EM_X86_64;
  const hasBytes = target.type !== SHT_NOBITS;
  const end = section.offset + Math.floor(section.sizeBytes / RECORD_BYTES) * RECORD_BYTES;
  for (let at = section.offset; at < end; at += RECORD_BYTES) {
    const type = view.getUint32(at + 8 + low, isLittleEndian);
    const width = known[type] ?? UNKNOWN;
    if (width === UNKNOWN) return `a relocation of type ${type}, which the kernel does not know`;
    if (width === 0) continue;
    const symbol = view.getUint32(at + 8 + high, isLittleEndian);
    if (symbol >= table.count) return `a relocation to symbol ${symbol} of ${table.count}`;
    const place = view.getUint32(at + low, isLittleEndian);
    if (view.getUint32(at + high, isLittleEndian) !== 0 || place + width > target.sizeBytes) {
      return `a relocation outside of ${target.name}`;
    }
    if (!isX86) continue;
    const at8 = place >>> 3;
    const bit = 1 << (place & 7);
    const before = written[at8] ?? 0;
    if ((before & bit) !== 0) return `two relocations for one place in ${target.name}`;
    written[at8] = before | bit;
    if (hasBytes && !isZero(view, target.offset + place, width)) {
      return `a relocation of type ${type} in ${target.name} where there is a value already`;
    }
    if (type === X86_64_32 && isAddress(elf, table, symbol)) {
      return 'a relocation to an address of 32 bits, where the kernel has none';
    }
  }
  return undefined;
}

/** The loader of x86 writes only where there are zeros. */
function isZero(view: DataView, at: number, width: number): boolean {
  return view.getUint32(at) === 0 && (width === 4 || view.getUint32(at + 4) === 0);
}

/** Says whether a symbol stands for a place in the module or the kernel: above all addresses of 32 bits. */
function isAddress(elf: ElfFile, table: SymbolTable, symbol: number): boolean {
  const sectionIndex = elf.view.getUint16(table.offset + symbol * SYMBOL_BYTES + 6, elf.isLittleEndian);
  const section = elf.sections[sectionIndex];
  if (sectionIndex === 0 || sectionIndex === SHN_ABS || section === undefined) return false;
  return (section.flags & SHF_ALLOC) !== 0 && !NOT_LOADED.test(section.name);
}
