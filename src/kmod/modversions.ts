import { elfInvalid, findSection, makeNameBudget, readName, sectionBytes, type ElfFile } from './elf.ts';

/** CRCs of the symbols that a module was built against. */
export interface Modversions {
  readonly hasVersions: boolean;
  /**
   * Names of `__versions`, each once, without a leading dot: depmod looks for all of them, and does not read the extended
   * form. `module_layout` is there for either form, since the kernel asks for its CRC.
   */
  readonly names: readonly string[];
  /** What the kernel compares: the extended form when there is one, else `__versions`. */
  readonly crcs: ReadonlyMap<string, number>;
}

const MODULE_LAYOUT = 'module_layout';

/** A record of `__versions`: a CRC as long as a pointer, and the name in what is left. */
const RECORD_BYTES = 64;

/**
 * Reads `__versions` and, for kernels since 6.14, `__version_ext_crcs` with `__version_ext_names`.
 *
 * @throws {ModuleError} `ELF_INVALID` for tables that break their format.
 */
export function readModversions(elf: ElfFile): Modversions {
  const basic = readBasic(elf);
  const extended = readExtended(elf);
  const crcs = extended ?? basic ?? new Map<string, number>();
  return {
    hasVersions: basic !== undefined || extended !== undefined,
    names: [...new Set([...(basic?.keys() ?? []), ...(crcs.has(MODULE_LAYOUT) ? [MODULE_LAYOUT] : [])])],
    crcs,
  };
}

function readBasic(elf: ElfFile): Map<string, number> | undefined {
  const section = findSection(elf, '__versions');
  if (section === undefined) return undefined;
  if (section.sizeBytes % RECORD_BYTES !== 0) throw elfInvalid('its table of versions ends inside a record');
  const { bytes, view, is64Bit, isLittleEndian } = elf;
  const nameAt = is64Bit ? 8 : 4;
  // A CRC has 32 bits; in a field of 64 a big-endian machine puts them into the second half.
  const crcAt = is64Bit && !isLittleEndian ? 4 : 0;
  const crcs = new Map<string, number>();
  for (let at = section.offset; at < section.offset + section.sizeBytes; at += RECORD_BYTES) {
    const nameEnd = bytes.subarray(at + nameAt, at + RECORD_BYTES).indexOf(0);
    const name = bytes.toString(
      'latin1',
      at + nameAt,
      nameEnd < 0 ? at + RECORD_BYTES : at + nameAt + nameEnd,
    );
    keepFirst(crcs, withoutDot(name), view.getUint32(at + crcAt, isLittleEndian));
  }
  return crcs;
}

function readExtended(elf: ElfFile): Map<string, number> | undefined {
  const crcSection = findSection(elf, '__version_ext_crcs');
  const nameSection = findSection(elf, '__version_ext_names');
  if (crcSection === undefined && nameSection === undefined) return undefined;
  if (crcSection === undefined || nameSection === undefined) {
    throw elfInvalid('its extended versions lack either the names or the CRCs');
  }
  if (crcSection.sizeBytes % 4 !== 0) throw elfInvalid('its table of extended versions ends inside a CRC');
  const nameBytes = sectionBytes(elf, nameSection);
  const budget = makeNameBudget(nameBytes.length);
  const crcs = new Map<string, number>();
  let start = 0;
  for (let at = 0; at < crcSection.sizeBytes; at += 4) {
    const name = readName({ bytes: nameBytes }, start, nameBytes.length, budget);
    start += name.length + 1;
    keepFirst(crcs, withoutDot(name), elf.view.getUint32(crcSection.offset + at, elf.isLittleEndian));
  }
  return crcs;
}

function keepFirst(crcs: Map<string, number>, name: string, crc: number): void {
  if (name !== '' && !crcs.has(name)) crcs.set(name, crc);
}

/** Functions of 64-bit PowerPC with the old ABI have a dot before their name, which no export has. */
export function withoutDot(name: string): string {
  return name.startsWith('.') ? name.slice(1) : name;
}
