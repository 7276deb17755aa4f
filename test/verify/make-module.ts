import type { Arch } from '../../src/oci/arch.ts';
import { makeElf, type MadeSection, type MadeSymbol } from '../kmod/make-elf.ts';

const [ALLOC, EXEC, WRITE] = [2, 4, 1];
const [SHT_RELA, SHT_NOBITS] = [4, 8];

export interface MadeImport {
  readonly symbol: string;
  readonly crc?: number;
  readonly isWeak?: boolean;
}

export interface MadeExport {
  readonly symbol: string;
  readonly crc?: number;
  readonly isGplOnly?: boolean;
  readonly namespace?: string;
}

/** A module that differs from one that loads in what is said here. */
export interface MadeModule {
  readonly arch?: Arch;
  readonly name?: string;
  readonly vermagic?: string | undefined;
  readonly license?: string | undefined;
  /** Fields of modinfo besides name, vermagic and license, as `key=value`. */
  readonly modinfo?: readonly string[];
  readonly imports?: readonly MadeImport[];
  readonly exports?: readonly MadeExport[];
  /** `extended` writes the tables of kernels since 6.14. */
  readonly versions?: 'basic' | 'extended' | 'both' | 'none';
  readonly layoutCrc?: number;
  readonly thisModuleBytes?: number;
  /** Type, place in `.text`, number of the symbol. */
  readonly relocations?: readonly (readonly [type: number, at: number, symbol: number])[];
  readonly text?: Buffer;
  readonly sections?: readonly MadeSection[];
  readonly symbols?: readonly MadeSymbol[];
  /** Changes the sections before the file is written. */
  readonly edit?: (sections: MadeSection[]) => MadeSection[];
  readonly headerFlags?: number;
}

const MACHINES = {
  x86_64: { machine: 62, isLittleEndian: true, headerFlags: 0, needed: [] },
  aarch64: { machine: 183, isLittleEndian: true, headerFlags: 0, needed: ['.plt', '.init.plt'] },
  ppc64le: { machine: 21, isLittleEndian: true, headerFlags: 2, needed: ['.stubs'] },
  s390x: { machine: 22, isLittleEndian: false, headerFlags: 0, needed: [] },
} as const;

export const VERMAGIC = '6.1.0-56-amd64 SMP preempt mod_unload modversions ';
/** CRCs of the kernel that `fixtures/kernel` describes. */
export const LAYOUT_CRC = 0x9060323f;
export const PRINTK: MadeImport = { symbol: '_printk', crc: 0x92997ed8 };

/** Writes a module that the kernel of `fixtures/kernel` loads, but for what the options change. */
export function makeModuleFile(options: MadeModule = {}): Buffer {
  const { arch = 'x86_64', name = 'made', versions = 'basic', imports = [PRINTK], exports = [] } = options;
  const { machine, isLittleEndian, headerFlags, needed } = MACHINES[arch];
  const u = (size: 4 | 8, value: number): Buffer => {
    const bytes = Buffer.alloc(size);
    const at = isLittleEndian ? 0 : size - 4;
    if (isLittleEndian) bytes.writeUInt32LE(value, at);
    else bytes.writeUInt32BE(value, at);
    return bytes;
  };
  const { vermagic, license }: MadeModule = { vermagic: VERMAGIC, license: 'GPL', ...options };
  const fields = [
    ...(license === undefined ? [] : [`license=${license}`]),
    `name=${name}`,
    ...(options.modinfo ?? []),
    ...(vermagic === undefined ? [] : [`vermagic=${vermagic}`]),
  ];
  const crcs = [
    { symbol: 'module_layout', crc: options.layoutCrc ?? LAYOUT_CRC },
    ...imports.filter(({ crc }) => crc !== undefined),
  ];
  const record = ({ symbol, crc = 0 }: MadeImport): Buffer => {
    const text = Buffer.alloc(56);
    text.write(symbol, 'latin1');
    return Buffer.concat([u(8, crc), text]);
  };
  const strings = [...new Set(exports.flatMap(({ symbol, namespace = '' }) => [symbol, namespace]))];
  const offsetOf = (text: string): number =>
    strings.slice(0, strings.indexOf(text)).reduce((sum, one) => sum + one.length + 1, 0);
  const tables = (['', '_gpl'] as const).map((kind) => ({
    kind,
    members: exports.filter(({ isGplOnly = false }) => isGplOnly === (kind === '_gpl')),
  }));
  const section = (sectionName: string, bytes: Buffer, flags = ALLOC): MadeSection[] =>
    bytes.length === 0 ? [] : [{ name: sectionName, bytes, flags }];
  const relocations = (options.relocations ?? []).map(([type, at, symbol]) =>
    Buffer.concat([
      u(8, at),
      ...(isLittleEndian ? [u(4, type), u(4, symbol)] : [u(4, symbol), u(4, type)]),
      u(8, 0),
    ]),
  );
  const sections: MadeSection[] = [
    { name: '.text', bytes: options.text ?? Buffer.alloc(64), flags: ALLOC | EXEC },
    ...section('.modinfo', Buffer.from(fields.map((field) => `${field}\0`).join(''))),
    {
      name: '.gnu.linkonce.this_module',
      bytes: Buffer.alloc(options.thisModuleBytes ?? 896),
      flags: ALLOC | WRITE,
    },
    { name: '.bss', bytes: Buffer.alloc(0), sizeBytes: 32, type: SHT_NOBITS, flags: ALLOC | WRITE },
    ...needed.map((one) => ({ name: one, bytes: Buffer.alloc(1), flags: ALLOC | EXEC })),
    ...(versions === 'basic' || versions === 'both'
      ? section('__versions', Buffer.concat(crcs.map(record)))
      : []),
    ...(versions === 'extended' || versions === 'both'
      ? [
          ...section('__version_ext_crcs', Buffer.concat(crcs.map(({ crc = 0 }) => u(4, crc)))),
          ...section('__version_ext_names', Buffer.from(crcs.map(({ symbol }) => `${symbol}\0`).join(''))),
        ]
      : []),
    ...section('__ksymtab_strings', Buffer.from(strings.map((text) => `${text}\0`).join(''))),
    ...tables.flatMap(({ kind, members }) => [
      ...section(`__ksymtab${kind}`, Buffer.alloc(12 * members.length)),
      ...section(
        `__kcrctab${kind}`,
        Buffer.concat(members.flatMap(({ crc }) => (crc === undefined ? [] : [u(4, crc)]))),
      ),
    ]),
    ...(relocations.length === 0
      ? []
      : [{ name: '.rela.text', bytes: Buffer.concat(relocations), type: SHT_RELA, info: '.text' }]),
    ...(options.sections ?? []),
  ];
  const symbols: MadeSymbol[] = [
    ...imports.map(({ symbol, isWeak = false }) => ({ name: symbol, isWeak })),
    { name: 'init_module', section: '.text' },
    ...tables.flatMap(({ kind, members }) =>
      members.flatMap(({ symbol, crc, namespace = '' }, at): MadeSymbol[] => [
        { name: `__ksymtab_${symbol}`, section: `__ksymtab${kind}`, value: 12 * at },
        { name: `__kstrtab_${symbol}`, section: '__ksymtab_strings', value: offsetOf(symbol) },
        { name: `__kstrtabns_${symbol}`, section: '__ksymtab_strings', value: offsetOf(namespace) },
        ...(crc === undefined
          ? []
          : [{ name: `__crc_${symbol}`, section: `__kcrctab${kind}`, value: 4 * at }]),
      ]),
    ),
    ...(options.symbols ?? []),
  ];
  return makeElf({
    machine,
    isLittleEndian,
    headerFlags: options.headerFlags ?? headerFlags,
    sections: options.edit?.(sections) ?? sections,
    symbols,
  });
}
