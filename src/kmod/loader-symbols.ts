import {
  elfInvalid,
  findSymbolTable,
  makeNameBudget,
  readName,
  readSymbol,
  sectionBytes,
  SHN_ABS,
  SHN_COMMON,
  SHN_LIVEPATCH,
  SHN_UNDEF,
  type ElfFile,
  type ElfSymbol,
  type NameBudget,
} from './elf.ts';
import { withoutDot } from './modversions.ts';
import type { Export } from './module.ts';
import { readCrc, readStringOf } from './symbols.ts';

/** What the kernel's loader takes from a symbol table, which is not all that depmod does. */
export interface LoaderSymbols {
  /** Undefined symbols in the order of the table, each once; weak when all of that name are. */
  readonly imports: readonly { readonly symbol: string; readonly isWeak: boolean }[];
  /** Symbols with an entry in `__ksymtab` or `__ksymtab_gpl`. */
  readonly exports: readonly Export[];
  /** Names of common symbols, which a module must not have. */
  readonly commons: readonly string[];
  /** Symbols of sections that there are not. */
  readonly strays: readonly { readonly symbol: string; readonly sectionIndex: number }[];
}

const CRC_PREFIX = '__crc_';
const KSYMTAB_PREFIX = '__ksymtab_';
const NAMESPACE_PREFIX = '__kstrtabns_';
const STRING_PREFIX = '__kstrtab_';
/** Kernels since 7.0 keep one table of exports, with the licence class as a flag of each. */
const FLAGS_PREFIX = '__flags_';
const FLAG_GPL_ONLY = 1;
/** Symbols of link-time optimisation, which the loader passes over. */
const LTO_PREFIX = '__gnu_lto';
const EM_PPC64 = 21;
const TABLE_OF_CONTENTS = '.TOC.';
const UNDERSCORE = 0x5f;
const BOOKKEEPING = new Set(Buffer.from('ckf'));

/** Symbols by what the second part of their names says, under the name of what is exported. */
interface Bookkeeping {
  readonly entries: Map<string, ElfSymbol>;
  readonly strings: Map<string, ElfSymbol>;
  readonly crcs: Map<string, ElfSymbol>;
  readonly namespaces: Map<string, ElfSymbol>;
  readonly flags: Map<string, ElfSymbol>;
}

/**
 * Reads the symbols of a module as `simplify_symbols()` and `find_module_sections()` do.
 *
 * @throws {ModuleError} `ELF_INVALID` for a broken symbol table.
 * @see linux `kernel/module/main.c`
 */
export function readLoaderSymbols(elf: ElfFile): LoaderSymbols {
  const table = findSymbolTable(elf);
  const budget = makeNameBudget(elf.bytes.length);
  const isWeakByImport = new Map<string, boolean>();
  const found: Bookkeeping = {
    entries: new Map(),
    strings: new Map(),
    crcs: new Map(),
    namespaces: new Map(),
    flags: new Map(),
  };
  const commons: string[] = [];
  const strays: { symbol: string; sectionIndex: number }[] = [];

  for (let index = 1; index < table.count; index++) {
    const symbol = readSymbol(elf, table, index);
    const { sectionIndex, nameOffset } = symbol;
    // Kernels before 6.13 read what stands there, or crash; those after it refuse.
    if (nameOffset >= table.namesEnd) throw elfInvalid('the name of a symbol lies outside its string table');
    const isOrdinary = sectionIndex !== SHN_UNDEF && sectionIndex < elf.sections.length;
    if (isOrdinary && !isBookkeeping(elf.bytes, nameOffset)) continue;
    if (sectionIndex === SHN_LIVEPATCH) continue;
    const name = readName(elf, nameOffset, table.namesEnd, budget);
    if (isOrdinary || sectionIndex === SHN_ABS) {
      keep(found, name, symbol);
    } else if (sectionIndex === SHN_COMMON) {
      if (!name.startsWith(LTO_PREFIX)) commons.push(name);
    } else if (sectionIndex !== SHN_UNDEF) {
      strays.push({ symbol: name, sectionIndex });
    } else if (elf.machine !== EM_PPC64 || name !== TABLE_OF_CONTENTS) {
      const plain = elf.machine === EM_PPC64 ? withoutDot(name) : name;
      isWeakByImport.set(plain, isWeakByImport.get(plain) !== false && symbol.isWeak);
    }
  }
  return {
    imports: [...isWeakByImport].map(([symbol, isWeak]) => ({ symbol, isWeak })),
    exports: [...found.entries.keys()].map((key) => toExport(elf, key, found, budget)),
    commons,
    strays,
  };
}

/** True for names that may begin with one of our prefixes: most symbols are told apart by three bytes. */
function isBookkeeping(bytes: Buffer, nameOffset: number): boolean {
  return (
    bytes[nameOffset] === UNDERSCORE &&
    bytes[nameOffset + 1] === UNDERSCORE &&
    BOOKKEEPING.has(bytes[nameOffset + 2] ?? 0)
  );
}

function keep(found: Bookkeeping, name: string, symbol: ElfSymbol): void {
  if (name.startsWith(CRC_PREFIX)) found.crcs.set(name.slice(CRC_PREFIX.length), symbol);
  else if (name.startsWith(KSYMTAB_PREFIX)) found.entries.set(name.slice(KSYMTAB_PREFIX.length), symbol);
  else if (name.startsWith(NAMESPACE_PREFIX))
    found.namespaces.set(name.slice(NAMESPACE_PREFIX.length), symbol);
  else if (name.startsWith(STRING_PREFIX)) found.strings.set(name.slice(STRING_PREFIX.length), symbol);
  else if (name.startsWith(FLAGS_PREFIX)) found.flags.set(name.slice(FLAGS_PREFIX.length), symbol);
}

/** @param key What the symbols call it; the kernel goes by the string that their entry points to. */
function toExport(elf: ElfFile, key: string, found: Bookkeeping, budget: NameBudget): Export {
  const string = found.strings.get(key);
  const crc = found.crcs.get(key);
  const namespace = found.namespaces.get(key);
  const section = elf.sections[found.entries.get(key)?.sectionIndex ?? 0];
  return {
    symbol: (string === undefined ? undefined : readStringOf(elf, string, budget)) ?? key,
    crc: crc === undefined ? undefined : readCrc(elf, crc),
    isGplOnly:
      section?.name.startsWith('__ksymtab_gpl') === true ||
      (readFlags(elf, found.flags.get(key)) & FLAG_GPL_ONLY) !== 0,
    namespace: namespace === undefined ? undefined : readStringOf(elf, namespace, budget),
  };
}

function readFlags(elf: ElfFile, symbol: ElfSymbol | undefined): number {
  const section = symbol === undefined ? undefined : elf.sections[symbol.sectionIndex];
  return section === undefined ? 0 : (sectionBytes(elf, section)[symbol?.value ?? 0] ?? 0);
}
