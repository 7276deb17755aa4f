import { ModuleError } from '../../errors.ts';
import {
  type ElfFile,
  readElf,
  sectionBytes,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_SYMTAB,
} from '../../kmod/elf.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import { hasChangeOf, STRICT_NAMES, STRICT_SECTIONS } from '../kernel-version.ts';
import type { Check } from '../report.ts';
import { resultsOf } from './check.ts';

const { pass, fail } = resultsOf('elf');

/** More memory than any kernel has for all modules together. */
const MAX_MEMORY_BYTES = 2 ** 30;

/** Sections that a machine's loader fills, and refuses a module without. */
const NEEDED_SECTIONS: ReadonlyMap<number, readonly string[]> = new Map([
  [21, ['.stubs']],
  [183, ['.plt', '.init.plt']],
]);

/** Sections that the kernel jumps into. */
const CODE = /^\.(?:init\.|exit\.)?text$/;

/** A module that can be read, or the reason why the loader does not read it. */
export type CheckedElf = { readonly elf: ElfFile } | { readonly check: Check };

/**
 * Reads the headers of a module without its signature, as strictly as `elf_validity_check()`.
 *
 * @see linux `kernel/module/main.c`
 */
export function openElf(module: Buffer): CheckedElf {
  try {
    return { elf: readElf(module) };
  } catch (error) {
    return { check: elfFailure(error) };
  }
}

/** The failed check for an error of reading; errors of another kind are thrown on. */
export function elfFailure(error: unknown): Check {
  if (!(error instanceof ModuleError)) throw error;
  return fail(error.message.replace(/^Cannot read a module: /, ''), { hint: error.hint });
}

/** Looks at what is left when the headers could be read. */
export function checkElf(elf: ElfFile, kernel: KernelFacts): Check {
  const why = findProblem(elf, kernel);
  return why === undefined ? pass('it is a relocatable ELF file as the loader reads it') : fail(why);
}

function findProblem(elf: ElfFile, kernel: KernelFacts): string | undefined {
  const { sections } = elf;
  const [first] = sections;
  if (first?.type !== 0 || first.sizeBytes !== 0 || first.address !== 0) {
    return 'its first section is not empty';
  }
  const names = sections[elf.namesIndex];
  if (names === undefined || sectionBytes(elf, names).at(-1) !== 0) {
    return 'the names of its sections do not end';
  }
  const symbols = sections.find(({ type }) => type === SHT_SYMTAB);
  const symbolNames = symbols === undefined ? undefined : sections[symbols.link];
  if (symbolNames !== undefined && hasChangeOf(kernel, STRICT_NAMES)) {
    const bytes = sectionBytes(elf, symbolNames);
    if (bytes[0] !== 0 || bytes.at(-1) !== 0)
      return 'the names of its symbols do not begin and end with a zero';
  }
  const infos = sections.filter(({ name }) => name === '.modinfo').length;
  if (infos > 1 && hasChangeOf(kernel, STRICT_SECTIONS)) return 'it has more than one .modinfo';
  const writable = sections.find(({ flags }) => (flags & SHF_WRITE) !== 0 && (flags & SHF_EXECINSTR) !== 0);
  const isStrict = kernel.config === undefined || kernel.config.get('CONFIG_STRICT_MODULE_RWX') === 'y';
  if (writable !== undefined && isStrict) {
    return `its section ${writable.name} is both writable and executable`;
  }
  const dead = sections.find(
    ({ name, flags, sizeBytes }) => CODE.test(name) && sizeBytes > 0 && (flags & SHF_EXECINSTR) === 0,
  );
  if (dead !== undefined) return `its section ${dead.name} holds code that may not be run`;
  const needed = NEEDED_SECTIONS.get(elf.machine) ?? [];
  const missing = needed.find((name) => !sections.some((section) => section.name === name));
  if (missing !== undefined) return `it has no section ${missing}, which the loader needs`;
  const memory = sections.reduce((sum, { flags, sizeBytes }) => sum + (flags & SHF_ALLOC ? sizeBytes : 0), 0);
  if (memory > MAX_MEMORY_BYTES) return `it needs ${memory} bytes of memory, more than there is for modules`;
  return undefined;
}
