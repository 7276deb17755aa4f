import { BTF_MUTANTS } from './btf-mutants.ts';
import { ELF_MUTANTS } from './elf-mutants.ts';
import { FILE_MUTANTS } from './file-mutants.ts';
import { MODINFO_MUTANTS } from './modinfo-mutants.ts';
import type { Mutant } from './mutant.ts';
import { PARAMETER_MUTANTS } from './parameter-mutants.ts';
import { RELOCATION_MUTANTS } from './relocation-mutants.ts';
import { SIGNATURE_MUTANTS } from './signature-mutants.ts';
import { SYMBOL_MUTANTS } from './symbol-mutants.ts';
import { THIS_MODULE_MUTANTS } from './this-module-mutants.ts';
import { VERSION_MUTANTS } from './version-mutants.ts';

/** Mutants that kernels survive. */
export const MUTANTS: readonly Mutant[] = [
  ...SIGNATURE_MUTANTS,
  ...FILE_MUTANTS,
  ...ELF_MUTANTS,
  ...THIS_MODULE_MUTANTS,
  ...VERSION_MUTANTS,
  ...MODINFO_MUTANTS,
  ...SYMBOL_MUTANTS,
  ...RELOCATION_MUTANTS,
  ...BTF_MUTANTS,
  ...PARAMETER_MUTANTS,
];
