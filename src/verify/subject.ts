import { type ElfFile, findSection, sectionBytes } from '../kmod/elf.ts';
import { type LoaderSymbols, readLoaderSymbols } from '../kmod/loader-symbols.ts';
import { parseModinfo } from '../kmod/modinfo.ts';
import type { ModinfoField } from '../kmod/module.ts';
import { readVersionTables, type VersionTables } from '../kmod/version-tables.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';

/** What of a module is needed to link it, as the kernel's loader sees it; holds none of the file's bytes. */
export interface Subject {
  /** Below the kernel's module directory, or the file that was given. */
  readonly path: string;
  /** What its file name says that it is called. */
  readonly name: string;
  /** `e_machine`. */
  readonly machine: number;
  readonly modinfo: readonly ModinfoField[];
  readonly symbols: LoaderSymbols;
  readonly versions: VersionTables;
  /** Has a table of exports without a table of CRCs beside it. */
  readonly lacksExportCrcs: boolean;
}

/**
 * Reads what the checks look at.
 *
 * @throws {ModuleError} `ELF_INVALID`, `MODINFO_INVALID`.
 */
export function readSubject(path: string, elf: ElfFile): Subject {
  const section = findSection(elf, '.modinfo');
  const has = (name: string): boolean => elf.sections.some((one) => one.name === name && one.sizeBytes > 0);
  return {
    path,
    name: moduleNameOfPath(path),
    machine: elf.machine,
    modinfo: section === undefined ? [] : parseModinfo(sectionBytes(elf, section)),
    symbols: readLoaderSymbols(elf),
    versions: readVersionTables(elf),
    lacksExportCrcs: ['', '_gpl'].some((kind) => has(`__ksymtab${kind}`) && !has(`__kcrctab${kind}`)),
  };
}

/** First value of a modinfo key, as `get_modinfo()` finds it. */
export function firstOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): string | undefined {
  return modinfo.find((field) => field.key === key)?.value;
}

/** All values of a modinfo key, in their order. */
export function allOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): readonly string[] {
  return modinfo.filter((field) => field.key === key).map((field) => field.value);
}
