import { ModuleError } from '../errors.ts';

/** One section header. Offsets and sizes are checked against the file, except for sections without bytes. */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  /** The low 32 bits of `sh_flags`. */
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Index of the section that belongs to this one: of its string table, for a symbol table. */
  readonly link: number;
  /** Index of the section that relocations are for. */
  readonly info: number;
}

/** A relocatable ELF file, 32 or 64 bit, of either byte order. Holds the bytes that it was read from, not a copy. */
export interface ElfFile {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly is64Bit: boolean;
  readonly isLittleEndian: boolean;
  readonly machine: number;
  /** `e_flags`. */
  readonly headerFlags: number;
  /** Index of the section that holds the names of sections. */
  readonly namesIndex: number;
  readonly sections: readonly ElfSection[];
}

/** What a symbol table says of one symbol, without its name: most symbols are looked at and passed by. */
export interface ElfSymbol {
  /** Where the name starts in the file. */
  readonly nameOffset: number;
  readonly sectionIndex: number;
  readonly value: number;
  /** The low 32 bits of the value, exact whatever stands above them. */
  readonly lowValue: number;
  readonly isWeak: boolean;
}

/** Where the symbols and their names are. */
export interface SymbolTable {
  readonly offset: number;
  readonly count: number;
  readonly namesOffset: number;
  readonly namesEnd: number;
}

export const SHN_UNDEF = 0;
export const SHN_LIVEPATCH = 0xff20;
export const SHN_ABS = 0xfff1;
export const SHN_COMMON = 0xfff2;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;

const ET_REL = 1;
const STB_WEAK = 2;

/** Longest name we decode, in bytes. The kernel's own limit is 512. */
const MAX_NAME_BYTES = 4096;

/** Byte positions inside the headers, for the two classes of ELF. */
const LAYOUT_64 = {
  headerBytes: 64,
  shoff: 40,
  flags: 48,
  shentsize: 58,
  sectionBytes: 64,
  symbolBytes: 24,
} as const;
const LAYOUT_32 = {
  headerBytes: 52,
  shoff: 32,
  flags: 36,
  shentsize: 46,
  sectionBytes: 40,
  symbolBytes: 16,
} as const;

/**
 * Reads the headers of a relocatable ELF file. Bytes after it, such as a signature, do no harm.
 *
 * @throws {ModuleError} `ELF_INVALID` for anything that is not one, or whose tables leave the file.
 */
export function readElf(input: Uint8Array): ElfFile {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length < 16 || view.getUint32(0) !== 0x7f454c46)
    throw elfInvalid('it does not start as ELF does');
  const [elfClass, order] = [bytes[4], bytes[5]];
  if ((elfClass !== 1 && elfClass !== 2) || (order !== 1 && order !== 2)) {
    throw elfInvalid('its class or byte order is unknown');
  }
  const is64Bit = elfClass === 2;
  const isLittleEndian = order === 1;
  const layout = is64Bit ? LAYOUT_64 : LAYOUT_32;
  if (bytes.length < layout.headerBytes) throw elfInvalid('its header is cut off');
  const type = view.getUint16(16, isLittleEndian);
  if (type !== ET_REL) throw elfInvalid(`its type is ${type} and modules are relocatable (${ET_REL})`);
  const elf = {
    ...{ bytes, view, is64Bit, isLittleEndian },
    machine: view.getUint16(18, isLittleEndian),
    headerFlags: view.getUint32(layout.flags, isLittleEndian),
    namesIndex: view.getUint16(layout.shentsize + 4, isLittleEndian),
  };
  return { ...elf, sections: readSections(elf) };
}

/**
 * Where an ELF file ends as its headers have it: after its last section or the table of sections, whichever is later.
 * What stands behind that is no part of the module: a signature, or what is left of one.
 */
export function findElfEnd(elf: ElfFile): number {
  const layout = elf.is64Bit ? LAYOUT_64 : LAYOUT_32;
  const tableEnd = readWord(elf, layout.shoff) + elf.sections.length * layout.sectionBytes;
  const ends = elf.sections.map(({ type, offset, sizeBytes }) =>
    type === SHT_NOBITS ? 0 : offset + sizeBytes,
  );
  return ends.reduce((last, end) => Math.max(last, end), tableEnd);
}

function readSections(elf: Omit<ElfFile, 'sections'>): readonly ElfSection[] {
  const { bytes, view, is64Bit, isLittleEndian, namesIndex } = elf;
  const layout = is64Bit ? LAYOUT_64 : LAYOUT_32;
  const tableOffset = readWord(elf, layout.shoff);
  const entryBytes = view.getUint16(layout.shentsize, isLittleEndian);
  const count = view.getUint16(layout.shentsize + 2, isLittleEndian);
  if (entryBytes !== layout.sectionBytes) throw elfInvalid(`its section headers have ${entryBytes} bytes`);
  if (count === 0) throw elfInvalid('it has no sections');
  if (namesIndex >= count) throw elfInvalid('it does not say where the names of its sections are');
  if (tableOffset + count * entryBytes > bytes.length) throw elfInvalid('its section headers are cut off');

  const names = readSection(elf, tableOffset + namesIndex * entryBytes, () => '');
  if (names.type !== SHT_STRTAB) throw elfInvalid('it does not say where the names of its sections are');
  const budget = makeNameBudget(bytes.length);
  const nameAt = (offset: number): string =>
    readName(elf, names.offset + offset, names.offset + names.sizeBytes, budget);
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    sections.push(readSection(elf, tableOffset + index * entryBytes, nameAt));
  }
  return sections;
}

function readSection(
  elf: Omit<ElfFile, 'sections'>,
  at: number,
  nameAt: (offset: number) => string,
): ElfSection {
  const { bytes, view, is64Bit, isLittleEndian } = elf;
  const type = view.getUint32(at + 4, isLittleEndian);
  const offset = readWord(elf, at + (is64Bit ? 24 : 16));
  const sizeBytes = readWord(elf, at + (is64Bit ? 32 : 20));
  if (type !== 0 && type !== SHT_NOBITS && offset + sizeBytes > bytes.length) {
    throw elfInvalid('a section reaches beyond its end');
  }
  const flagsAt = at + (is64Bit && !isLittleEndian ? 12 : 8);
  return {
    name: nameAt(view.getUint32(at, isLittleEndian)),
    type,
    flags: view.getUint32(flagsAt, isLittleEndian),
    address: readWord(elf, at + (is64Bit ? 16 : 12)),
    offset,
    sizeBytes,
    link: view.getUint32(at + (is64Bit ? 40 : 24), isLittleEndian),
    info: view.getUint32(at + (is64Bit ? 44 : 28), isLittleEndian),
  };
}

/** First section of that name; undefined when there is none, or none with bytes in the file. */
export function findSection(elf: ElfFile, name: string): ElfSection | undefined {
  return elf.sections.find((section) => section.name === name && hasBytes(section));
}

/** The bytes of a section, not copied; empty for a section that has none in the file. */
export function sectionBytes(elf: ElfFile, section: ElfSection): Buffer {
  if (!hasBytes(section)) return elf.bytes.subarray(0, 0);
  return elf.bytes.subarray(section.offset, section.offset + section.sizeBytes);
}

function hasBytes(section: ElfSection): boolean {
  return section.type !== 0 && section.type !== SHT_NOBITS;
}

/**
 * Where the symbols are.
 *
 * @throws {ModuleError} `ELF_INVALID` unless there is exactly one symbol table with its names, as the kernel asks.
 */
export function findSymbolTable(elf: ElfFile): SymbolTable {
  const tables = elf.sections.filter((section) => section.type === SHT_SYMTAB);
  const [table] = tables;
  if (table === undefined)
    throw elfInvalid('it has no symbol table', 'Strip modules with "strip --strip-debug" only.');
  if (tables.length > 1) throw elfInvalid('it has more than one symbol table');
  const names = elf.sections[table.link];
  if (names?.type !== SHT_STRTAB) throw elfInvalid('its symbols have no names');
  const symbolBytes = elf.is64Bit ? LAYOUT_64.symbolBytes : LAYOUT_32.symbolBytes;
  if (table.sizeBytes % symbolBytes !== 0) throw elfInvalid('its symbol table ends inside a symbol');
  return {
    offset: table.offset,
    count: table.sizeBytes / symbolBytes,
    namesOffset: names.offset,
    namesEnd: names.offset + names.sizeBytes,
  };
}

/** One symbol of the table, by its index. */
export function readSymbol(elf: ElfFile, table: SymbolTable, index: number): ElfSymbol {
  const { view, is64Bit, isLittleEndian } = elf;
  const at = table.offset + index * (is64Bit ? LAYOUT_64.symbolBytes : LAYOUT_32.symbolBytes);
  const valueAt = at + (is64Bit ? 8 : 4);
  return {
    nameOffset: table.namesOffset + view.getUint32(at, isLittleEndian),
    sectionIndex: view.getUint16(at + (is64Bit ? 6 : 14), isLittleEndian),
    value: readWord(elf, valueAt),
    lowValue: view.getUint32(is64Bit && !isLittleEndian ? valueAt + 4 : valueAt, isLittleEndian),
    isWeak: view.getUint8(at + (is64Bit ? 4 : 12)) >> 4 === STB_WEAK,
  };
}

/**
 * Bytes that may still be decoded to names. Many symbols may share one long name, so that without a limit a file of
 * some megabytes could ask for gigabytes of text.
 */
export interface NameBudget {
  remainingBytes: number;
}

/** A budget that real files, in which few names overlap, never use up. */
export function makeNameBudget(fileBytes: number): NameBudget {
  return { remainingBytes: 4 * fileBytes + 2 ** 20 };
}

/**
 * The text from a position up to the next NUL.
 *
 * @throws {ModuleError} `ELF_INVALID` when it starts beyond `end`, does not stop before it, or is over 4096 bytes.
 */
export function readName(
  elf: Pick<ElfFile, 'bytes'>,
  start: number,
  end: number,
  budget: NameBudget,
): string {
  if (start >= end) throw elfInvalid('a name lies outside its string table');
  let stop = start;
  const limit = Math.min(end, start + MAX_NAME_BYTES);
  while (stop < limit && elf.bytes[stop] !== 0) stop++;
  if (stop === limit) throw elfInvalid('a name does not end');
  budget.remainingBytes -= stop - start;
  if (budget.remainingBytes < 0) throw elfInvalid('its names overlap beyond measure');
  return elf.bytes.toString('latin1', start, stop);
}

/** An address-sized number. Those over 2^53 lose digits, and are still far beyond any file. */
function readWord({ view, is64Bit, isLittleEndian }: Omit<ElfFile, 'sections'>, at: number): number {
  if (!is64Bit) return view.getUint32(at, isLittleEndian);
  const low = isLittleEndian ? at : at + 4;
  const high = isLittleEndian ? at + 4 : at;
  return view.getUint32(high, isLittleEndian) * 2 ** 32 + view.getUint32(low, isLittleEndian);
}

/** The error for an ELF file that cannot be a module. */
export function elfInvalid(why: string, hint?: string): ModuleError {
  return new ModuleError('ELF_INVALID', `Cannot read a module: ${why}`, {
    hint: hint ?? 'The file is damaged, or is no kernel module.',
  });
}
