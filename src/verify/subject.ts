import { type ElfFile, type ElfSection, sectionBytes, SHF_ALLOC } from '../kmod/elf.ts';
import { type LoaderSymbols, readLoaderSymbols } from '../kmod/loader-symbols.ts';
import { parseModinfo } from '../kmod/modinfo.ts';
import type { ModinfoField } from '../kmod/module.ts';
import { readVersionTables, type VersionTables } from '../kmod/version-tables.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { hasChangeOf, STRICT_SECTIONS } from './kernel-version.ts';

/** Section with the `struct module` that the module brings along. */
export const THIS_MODULE = '.gnu.linkonce.this_module';

/** What of a module is needed to link it, as the kernel's loader sees it; holds none of the file's bytes. */
export interface Subject {
  /** Below the kernel's module directory, or the file that was given. */
  readonly path: string;
  /** What its file name says that it is called. */
  readonly name: string;
  /** What its `struct module` says that it is called; undefined when it holds no name where kernels have it. */
  readonly loadedName: string | undefined;
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
export function readSubject(path: string, elf: ElfFile, kernel: Pick<KernelFacts, 'release'>): Subject {
  const isStrict = hasChangeOf(kernel, STRICT_SECTIONS);
  const find = (name: string, isLoaded: boolean): ElfSection | undefined =>
    elf.sections.find((one) => one.name === name && (!isLoaded || (one.flags & SHF_ALLOC) !== 0));
  const section = find('.modinfo', !isStrict);
  const thisModule = find(THIS_MODULE, true);
  const has = (name: string): boolean => elf.sections.some((one) => one.name === name && one.sizeBytes > 0);
  return {
    path,
    name: moduleNameOfPath(path),
    loadedName: thisModule === undefined ? undefined : readLoadedName(sectionBytes(elf, thisModule)),
    machine: elf.machine,
    modinfo: section === undefined ? [] : parseModinfo(sectionBytes(elf, section)),
    symbols: readLoaderSymbols(elf),
    versions: readVersionTables(elf),
    lacksExportCrcs: ['', '_gpl'].some((kind) => has(`__ksymtab${kind}`) && !has(`__kcrctab${kind}`)),
  };
}

/** Where 64-bit kernels have the name in `struct module`, and how long it may be. */
const [NAME_AT, NAME_BYTES] = [24, 56] as const;

/** A kernel that shuffles its structures has it elsewhere; what is found there then is no name. */
function readLoadedName(structure: Buffer): string | undefined {
  const field = structure.subarray(NAME_AT, NAME_AT + NAME_BYTES).toString('latin1');
  return /^([\w-]+)\0/.exec(field)?.[1];
}

/** First value of a modinfo key, as `get_modinfo()` finds it. */
export function firstOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): string | undefined {
  return modinfo.find((field) => field.key === key)?.value;
}

/** All values of a modinfo key, in their order. */
export function allOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): readonly string[] {
  return modinfo.filter((field) => field.key === key).map((field) => field.value);
}
