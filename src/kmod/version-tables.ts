import { sectionBytes, SHF_ALLOC, type ElfFile, type ElfSection } from './elf.ts';

/** The tables of CRCs of a module, as the kernel's loader reads them: it bears more than depmod does. */
export interface VersionTables {
  /** `__versions`; undefined when there is no such section in memory. */
  readonly basic: VersionTable | undefined;
  /** `__version_ext_crcs` with `__version_ext_names`, which kernels since 6.14 read instead. */
  readonly extended: VersionTable | undefined;
  /** Why a kernel that reads the extended tables refuses them. */
  readonly extendedProblem: string | undefined;
  /** A record of `__versions` is cut off, which the kernel passes over. */
  readonly hasRest: boolean;
}

/** CRCs by symbol. The field has 64 bits: a number beyond 32 equals no CRC, as for the kernel. */
export type VersionTable = ReadonlyMap<string, number>;

/** A record of `__versions`: a CRC as long as a pointer, and the name in what is left. */
const RECORD_BYTES = 64;

/** Reads both tables of a 64-bit module; of several records for one symbol the first counts. */
export function readVersionTables(elf: ElfFile): VersionTables {
  const section = findLoaded(elf, '__versions');
  const crcs = findLoaded(elf, '__version_ext_crcs');
  const names = findLoaded(elf, '__version_ext_names');
  const extended =
    crcs === undefined || names === undefined
      ? undefined
      : readExtended(elf, sectionBytes(elf, crcs), sectionBytes(elf, names));
  return {
    basic: section === undefined ? undefined : readBasic(elf, sectionBytes(elf, section)),
    extended: typeof extended === 'string' ? undefined : extended,
    extendedProblem:
      (crcs === undefined) !== (names === undefined)
        ? 'its extended versions lack either the names or the CRCs'
        : typeof extended === 'string'
          ? extended
          : undefined,
    hasRest: section !== undefined && section.sizeBytes % RECORD_BYTES !== 0,
  };
}

/** First section of that name that is in memory while a module is loaded: the loader sees no other. */
function findLoaded(elf: ElfFile, name: string): ElfSection | undefined {
  return elf.sections.find((section) => section.name === name && (section.flags & SHF_ALLOC) !== 0);
}

function readBasic(elf: ElfFile, bytes: Buffer): VersionTable {
  const { isLittleEndian } = elf;
  const records = new Map<string, number>();
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    let end = at + 8;
    while (end < at + RECORD_BYTES && bytes[end] !== 0) end++;
    const name = bytes.toString('latin1', at + 8, end);
    const first = isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
    const second = isLittleEndian ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4);
    const [crc, rest] = isLittleEndian ? [first, second] : [second, first];
    if (!records.has(name)) records.set(name, rest * 2 ** 32 + crc);
  }
  return records;
}

/** @returns The records, or what is wrong with the tables. */
function readExtended(elf: ElfFile, crcs: Buffer, names: Buffer): VersionTable | string {
  const texts = names.toString('latin1').split('\0').slice(0, -1);
  if (texts.length < Math.floor(crcs.length / 4)) return 'its extended versions have more CRCs than names';
  const records = new Map<string, number>();
  for (let at = 0; at + 4 <= crcs.length; at += 4) {
    const name = texts[at / 4] ?? '';
    const crc = elf.isLittleEndian ? crcs.readUInt32LE(at) : crcs.readUInt32BE(at);
    if (!records.has(name)) records.set(name, crc);
  }
  return records;
}
