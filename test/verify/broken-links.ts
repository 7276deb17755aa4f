import { asVersion, type Case, KERNEL, withConfig, WITHOUT_FORCE } from './case.ts';
import { type MadeModule, PRINTK, VERMAGIC } from './make-module.ts';

const GPL = { symbol: 'crypto_register_shash', crc: 0x8bf43c12 };
const SPACED = { symbol: 'crypto_cipher_setkey', crc: 0x669aff23 };
const NEW_KERNEL = asVersion('6.14.1-amd64');

/** Modules that do not fit the kernel that they are linked with. */
export const BROKEN_LINKS: readonly Case[] = [
  { what: 'another layout of structures', made: { layoutCrc: 1 }, expected: ['module-layout fail'] },
  {
    what: 'another release without CRCs',
    made: { versions: 'none', vermagic: VERMAGIC.replace('-56-', '-55-') },
    expected: ['vermagic fail', 'versions warn', 'symbol-crcs skip'],
  },
  {
    what: 'other words in the version magic',
    made: { vermagic: VERMAGIC.replace('preempt ', '') },
    expected: ['vermagic fail'],
  },
  {
    what: 'a version magic without its last blank',
    made: { vermagic: VERMAGIC.trimEnd() },
    expected: ['vermagic fail'],
  },
  {
    what: 'no version magic, where loading can be forced',
    made: { vermagic: undefined },
    expected: ['vermagic warn'],
  },
  {
    what: 'no version magic, where it cannot',
    made: { vermagic: undefined },
    kernel: WITHOUT_FORCE,
    expected: ['vermagic fail'],
  },
  {
    what: 'no CRCs, where loading can be forced',
    made: { versions: 'none' },
    expected: ['versions warn', 'symbol-crcs skip'],
  },
  {
    what: 'no CRCs, where it cannot',
    made: { versions: 'none' },
    kernel: WITHOUT_FORCE,
    expected: ['versions fail', 'symbol-crcs skip'],
  },
  {
    what: 'extended CRCs alone, before 6.14',
    made: { versions: 'extended' },
    kernel: WITHOUT_FORCE,
    expected: ['versions fail', 'symbol-crcs skip'],
  },
  {
    what: 'extended CRCs alone, since 6.14',
    made: { versions: 'extended', vermagic: NEW_KERNEL.vermagic },
    kernel: NEW_KERNEL,
    expected: [],
  },
  {
    what: 'extended CRCs alone of another release',
    made: { versions: 'extended' },
    kernel: NEW_KERNEL,
    expected: ['vermagic fail'],
  },
  {
    what: 'both kinds of CRCs of another release',
    made: { versions: 'both' },
    kernel: NEW_KERNEL,
    expected: [],
  },
  {
    what: 'extended CRCs without names',
    made: { versions: 'both', edit: without('__version_ext_names') },
    kernel: NEW_KERNEL,
    expected: ['versions fail'],
  },
  {
    what: 'extended CRCs without names, which older kernels do not read',
    made: { versions: 'both', edit: without('__version_ext_names') },
    expected: [],
  },
  {
    what: 'a cut table of CRCs',
    made: { edit: cut('__versions', 8) },
    expected: ['versions warn', 'symbol-crcs fail'],
  },
  {
    what: 'a symbol that nobody exports',
    made: { imports: [{ symbol: 'nobody', crc: 1 }] },
    expected: ['symbols fail'],
  },
  {
    what: 'a weak symbol that nobody exports',
    made: { imports: [PRINTK, { symbol: 'nobody', isWeak: true }] },
    expected: [],
  },
  { what: 'another CRC', made: { imports: [{ symbol: '_printk', crc: 1 }] }, expected: ['symbol-crcs fail'] },
  {
    what: 'another CRC of a weak symbol',
    made: { imports: [{ symbol: '_printk', crc: 1, isWeak: true }] },
    expected: ['symbol-crcs fail'],
  },
  {
    what: 'a symbol without CRC among others',
    made: { imports: [{ symbol: '_printk' }] },
    expected: ['symbol-crcs fail'],
  },
  {
    what: 'a CRC of more than 32 bits',
    made: { edit: widen },
    expected: ['module-layout fail', 'symbol-crcs fail'],
  },
  { what: 'a namespace that is not imported', made: { imports: [SPACED] }, expected: ['namespaces fail'] },
  {
    what: 'a namespace that need not be imported',
    made: { imports: [SPACED] },
    kernel: withConfig(KERNEL, { CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS: 'y' }),
    expected: ['namespaces warn'],
  },
  {
    what: 'a namespace that is imported',
    made: { imports: [SPACED], modinfo: ['import_ns=OTHER', 'import_ns=CRYPTO_INTERNAL'] },
    expected: [],
  },
  {
    what: 'a namespace of modules, since 6.16',
    made: { modinfo: ['import_ns=module:made'], vermagic: asVersion('6.16.0-1').vermagic },
    kernel: asVersion('6.16.0-1'),
    expected: ['namespaces fail'],
  },
  {
    what: 'a proprietary module with a symbol for the GPL',
    made: { license: 'Proprietary', imports: [GPL] },
    expected: ['licence fail'],
  },
  {
    what: 'no licence and a symbol for the GPL',
    made: { license: undefined, imports: [GPL] },
    expected: ['licence fail'],
  },
  {
    what: 'a licence of nearly the right name',
    made: { license: 'GPLv2', imports: [GPL] },
    expected: ['licence fail'],
  },
  { what: 'a proprietary module with symbols for all', made: { license: 'Proprietary' }, expected: [] },
  { what: 'a licence that is compatible', made: { license: 'Dual MIT/GPL', imports: [GPL] }, expected: [] },
  {
    what: "an export of the kernel's",
    made: { exports: [{ symbol: '_printk', crc: 1 }] },
    expected: ['exports fail'],
  },
  {
    what: 'a symbol of the kernel in the table of exports, under another name in the symbol table',
    made: {
      exports: [{ symbol: 'made_io', crc: 1 }],
      edit: (sections) =>
        sections.map((section) =>
          section.name === '__ksymtab_strings' ? { ...section, bytes: Buffer.from('_printk\0\0') } : section,
        ),
    },
    expected: ['exports fail'],
  },
  {
    what: 'an export without CRC, where loading can be forced',
    made: { exports: [{ symbol: 'made_open' }] },
    expected: ['exports warn'],
  },
  {
    what: 'an export without CRC, where it cannot',
    made: { exports: [{ symbol: 'made_open' }] },
    kernel: WITHOUT_FORCE,
    expected: ['exports fail'],
  },
  {
    what: 'exports of its own',
    made: {
      exports: [
        { symbol: 'made_open', crc: 7 },
        { symbol: 'made_gpl', crc: 8, isGplOnly: true, namespace: 'MADE' },
      ],
    },
    expected: [],
  },
];

function without(name: string): NonNullable<MadeModule['edit']> {
  return (sections) => sections.filter((section) => section.name !== name);
}

function cut(name: string, bytes: number): NonNullable<MadeModule['edit']> {
  return (sections) =>
    sections.map((section) =>
      section.name === name ? { ...section, bytes: section.bytes.subarray(0, -bytes) } : section,
    );
}

/** Sets a bit in the upper half of each CRC. */
function widen(sections: Parameters<NonNullable<MadeModule['edit']>>[0]) {
  for (const { name, bytes } of sections) {
    if (name === '__versions') for (let at = 4; at < bytes.length; at += 64) bytes.writeUInt32LE(1, at);
  }
  return sections;
}
