import type { Arch } from '../oci/arch.ts';
import { findSection, readElf, sectionBytes, type ElfFile } from './elf.ts';
import { parseModinfo } from './modinfo.ts';
import type { KernelModule } from './module.ts';
import { readModversions } from './modversions.ts';
import { readModuleSymbols } from './symbols.ts';

/**
 * Reads what the indexes and the checks need of an uncompressed module; a signature after it does no harm. Fast
 * enough to be called for each of the thousands of modules of a kernel.
 *
 * @throws {ModuleError} `ELF_INVALID` or `MODINFO_INVALID` for bytes that are no kernel module.
 */
export function readModule(bytes: Uint8Array): KernelModule {
  const elf = readElf(bytes);
  const modinfo = findSection(elf, '.modinfo');
  const versions = readModversions(elf);
  return {
    arch: archOf(elf),
    machine: elf.machine,
    isLittleEndian: elf.isLittleEndian,
    modinfo: modinfo === undefined ? [] : parseModinfo(sectionBytes(elf, modinfo)),
    ...readModuleSymbols(elf, versions),
    thisModuleSizeBytes: findSection(elf, '.gnu.linkonce.this_module')?.sizeBytes,
    hasVersions: versions.hasVersions,
    hasBtf: findSection(elf, '.BTF') !== undefined,
  };
}

const MACHINES: readonly { machine: number; isLittleEndian: boolean; arch: Arch }[] = [
  { machine: 62, isLittleEndian: true, arch: 'x86_64' },
  { machine: 183, isLittleEndian: true, arch: 'aarch64' },
  { machine: 21, isLittleEndian: true, arch: 'ppc64le' },
  { machine: 22, isLittleEndian: false, arch: 's390x' },
];

/** Architecture of an ELF file; undefined for one that OpenShift does not run on. */
export function archOf(elf: Pick<ElfFile, 'machine' | 'is64Bit' | 'isLittleEndian'>): Arch | undefined {
  if (!elf.is64Bit) return undefined;
  const found = MACHINES.find(
    ({ machine, isLittleEndian }) => machine === elf.machine && isLittleEndian === elf.isLittleEndian,
  );
  return found?.arch;
}
