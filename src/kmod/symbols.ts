import {
  findSection,
  findSymbolTable,
  makeNameBudget,
  readName,
  readSymbol,
  sectionBytes,
  SHN_ABS,
  SHN_UNDEF,
  type ElfFile,
  type ElfSymbol,
  type NameBudget,
} from './elf.ts';
import { withoutDot, type Modversions } from './modversions.ts';
import type { Export, Import } from './module.ts';

/** The symbols by which modules find each other. */
export interface ModuleSymbols {
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
  readonly namespaceNames: readonly string[];
}

const CRC_PREFIX = '__crc_';
const KSYMTAB_PREFIX = '__ksymtab_';
const NAMESPACE_PREFIX = '__kstrtabns_';
/** Undefined in modules of 64-bit PowerPC, but not an import: the kernel puts the address of the module's own table there. */
const TABLE_OF_CONTENTS = '.TOC.';
const UNDERSCORE = 0x5f;
const [LOWER_C, LOWER_K] = [0x63, 0x6b];

/**
 * Imports and exports of a module in the order in which depmod meets them.
 *
 * @throws {ModuleError} `ELF_INVALID` for a broken symbol table.
 */
export function readModuleSymbols(elf: ElfFile, versions: Modversions): ModuleSymbols {
  const table = findSymbolTable(elf);
  const budget = makeNameBudget(elf.bytes.length);
  const isWeakByImport = new Map<string, boolean>();
  const crcSymbols = new Map<string, ElfSymbol>();
  const exported = new Set<string>();
  const gplOnly = new Set<string>();
  const namespaces = new Map<string, ElfSymbol>();

  for (let index = 1; index < table.count; index++) {
    const symbol = readSymbol(elf, table, index);
    const isImport = symbol.sectionIndex === SHN_UNDEF;
    if (!isImport && !isBookkeeping(elf.bytes, symbol.nameOffset)) continue;
    const name = readName(elf, symbol.nameOffset, table.namesEnd, budget);
    if (isImport && name !== '' && name !== TABLE_OF_CONTENTS) {
      const plain = withoutDot(name);
      isWeakByImport.set(plain, isWeakByImport.get(plain) !== false && symbol.isWeak);
    }
    if (name.startsWith(CRC_PREFIX)) {
      crcSymbols.set(name.slice(CRC_PREFIX.length), symbol);
    } else if (name.startsWith(KSYMTAB_PREFIX)) {
      const section = elf.sections[symbol.sectionIndex];
      exported.add(name.slice(KSYMTAB_PREFIX.length));
      if (section?.name.startsWith('__ksymtab_gpl') === true) gplOnly.add(name.slice(KSYMTAB_PREFIX.length));
    } else if (name.startsWith(NAMESPACE_PREFIX)) {
      namespaces.set(name.slice(NAMESPACE_PREFIX.length), symbol);
    }
  }

  const toExport = (symbol: string, crc: number | undefined): Export => {
    const namespace = namespaces.get(symbol);
    return {
      symbol,
      crc,
      isGplOnly: gplOnly.has(symbol),
      namespace: namespace === undefined ? undefined : readStringOf(elf, namespace, budget),
    };
  };
  const imports = toImports(isWeakByImport, versions);
  if (crcSymbols.size > 0) {
    const exports = [...crcSymbols].map(([name, symbol]) => toExport(name, readCrc(elf, symbol)));
    return { imports, exports, namespaceNames: [] };
  }
  const strings = listSymbolStrings(elf);
  // A module whose own symbols were stripped does not tell which strings are which.
  const isExport = (name: string): boolean => exported.size === 0 || exported.has(name);
  return {
    imports,
    exports: strings.filter(isExport).map((name) => toExport(name, undefined)),
    namespaceNames: strings.filter((name) => !isExport(name)),
  };
}

/** True for names that may begin with one of our prefixes: most symbols are told apart by three bytes. */
function isBookkeeping(bytes: Buffer, nameOffset: number): boolean {
  if (bytes[nameOffset] !== UNDERSCORE || bytes[nameOffset + 1] !== UNDERSCORE) return false;
  const third = bytes[nameOffset + 2];
  return third === LOWER_C || third === LOWER_K;
}

function toImports(isWeakByImport: ReadonlyMap<string, boolean>, versions: Modversions): readonly Import[] {
  const imports: Import[] = [];
  for (const [symbol, isWeak] of isWeakByImport) {
    imports.push({ symbol, isWeak, crc: versions.crcs.get(symbol) });
  }
  for (const symbol of versions.names) {
    if (isWeakByImport.has(symbol)) continue;
    imports.push({ symbol, isWeak: false, crc: versions.crcs.get(symbol) });
  }
  return imports;
}

/** The CRC itself for an absolute symbol, else the 32-bit word that the symbol stands on. */
export function readCrc(elf: ElfFile, symbol: ElfSymbol): number | undefined {
  if (symbol.sectionIndex === SHN_ABS) return symbol.lowValue;
  const section = elf.sections[symbol.sectionIndex];
  if (section === undefined) return undefined;
  const bytes = sectionBytes(elf, section);
  if (symbol.value + 4 > bytes.length) return undefined;
  return elf.isLittleEndian ? bytes.readUInt32LE(symbol.value) : bytes.readUInt32BE(symbol.value);
}

/** The text that a symbol stands on; undefined when it is empty. */
export function readStringOf(elf: ElfFile, symbol: ElfSymbol, budget: NameBudget): string | undefined {
  const section = elf.sections[symbol.sectionIndex];
  if (section === undefined) return undefined;
  const bytes = sectionBytes(elf, section);
  const text = readName({ bytes }, symbol.value, bytes.length, budget);
  return text === '' ? undefined : text;
}

/** Names of what a module without CRCs exports, and of the namespaces that it exports them into. */
function listSymbolStrings(elf: ElfFile): readonly string[] {
  const section = findSection(elf, '__ksymtab_strings');
  if (section === undefined) return [];
  const names = sectionBytes(elf, section).toString('latin1').split('\0');
  return [...new Set(names.filter((name) => name !== ''))];
}
