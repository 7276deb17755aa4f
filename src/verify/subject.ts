import type { ElfFile } from '../kmod/elf.ts';
import type { LoaderSymbols } from '../kmod/loader-symbols.ts';
import type { ModinfoField } from '../kmod/module.ts';
import type { VersionTables } from '../kmod/version-tables.ts';

/** A module that is being checked, as the kernel's loader sees it. */
export interface Subject {
  /** Below the kernel's module directory, or the file that was given. */
  readonly path: string;
  /** What its file name says that it is called. */
  readonly name: string;
  readonly elf: ElfFile;
  readonly modinfo: readonly ModinfoField[];
  readonly symbols: LoaderSymbols;
  readonly versions: VersionTables;
}

/** First value of a modinfo key, as `get_modinfo()` finds it. */
export function firstOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): string | undefined {
  return modinfo.find((field) => field.key === key)?.value;
}

/** All values of a modinfo key, in their order. */
export function allOf({ modinfo }: Pick<Subject, 'modinfo'>, key: string): readonly string[] {
  return modinfo.filter((field) => field.key === key).map((field) => field.value);
}
