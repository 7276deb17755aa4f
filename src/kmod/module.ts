import type { Arch } from '../oci/arch.ts';

/** What the indexes, the checks and the reports need to know of one kernel module. Made by `readModule`. */
export interface KernelModule {
  /** Machine that the ELF header names; undefined for one that OpenShift does not run on. */
  readonly arch: Arch | undefined;
  /** `e_machine` of the ELF header. */
  readonly machine: number;
  readonly isLittleEndian: boolean;
  /** Fields of `.modinfo` in their order; a key may come again (`alias`, `firmware`, `softdep`, `parm`). */
  readonly modinfo: readonly ModinfoField[];
  /**
   * Names of undefined symbols in symbol table order, weak ones included, then names that only `__versions` has: the
   * order in which depmod looks for providers. A leading dot is dropped.
   */
  readonly imports: readonly Import[];
  /** Symbols that the module exports, in symbol table order of their `__crc_*` or, without CRCs, of the string table. */
  readonly exports: readonly Export[];
  /** Namespaces of exports without CRCs: depmod takes their names for symbols, too. Empty for modules with CRCs. */
  readonly namespaceNames: readonly string[];
  /** Size of `.gnu.linkonce.this_module` in bytes; undefined when the section is missing. */
  readonly thisModuleSizeBytes: number | undefined;
  /** Has `__versions` or the extended form. */
  readonly hasVersions: boolean;
  readonly hasBtf: boolean;
}

export interface ModinfoField {
  readonly key: string;
  readonly value: string;
}

export interface Import {
  readonly symbol: string;
  readonly isWeak: boolean;
  /** CRC that the module was built against; undefined when it has none for this symbol. */
  readonly crc: number | undefined;
}

export interface Export {
  readonly symbol: string;
  readonly crc: number | undefined;
  readonly isGplOnly: boolean;
  readonly namespace: string | undefined;
}

/** First value of a modinfo key, for instance `vermagic` or `name`. */
export function findModinfo(module: Pick<KernelModule, 'modinfo'>, key: string): string | undefined {
  return module.modinfo.find((field) => field.key === key)?.value;
}

/** All values of a modinfo key, in their order, for instance of `alias` or `firmware`. */
export function listModinfo(module: Pick<KernelModule, 'modinfo'>, key: string): readonly string[] {
  return module.modinfo.filter((field) => field.key === key).map((field) => field.value);
}
