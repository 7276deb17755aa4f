import { asVersion, type Case, KERNEL, withConfig } from './case.ts';
import { type MadeModule, VERMAGIC } from './make-module.ts';

/** Modules whose file is not what the loader asks for. */
export const BROKEN_FILES: readonly Case[] = [
  { what: 'another machine', made: { arch: 'aarch64' }, expected: ['architecture fail'] },
  {
    what: 'the old ABI of PowerPC',
    made: { arch: 'ppc64le', headerFlags: 1 },
    kernel: { ...KERNEL, arch: 'ppc64le' },
    expected: ['architecture fail'],
  },
  {
    what: 'no .stubs on PowerPC',
    made: { arch: 'ppc64le', edit: without('.stubs') },
    kernel: { ...KERNEL, arch: 'ppc64le' },
    expected: ['elf fail'],
  },
  {
    what: 'no .plt on arm64',
    made: { arch: 'aarch64', edit: without('.plt') },
    kernel: { ...KERNEL, arch: 'aarch64' },
    expected: ['elf fail'],
  },
  {
    what: 'no struct module',
    made: { edit: without('.gnu.linkonce.this_module') },
    expected: ['this-module fail'],
  },
  {
    what: 'a smaller struct module, before 6.4',
    made: { thisModuleBytes: 832 },
    expected: ['this-module warn'],
  },
  {
    what: 'a smaller struct module, since 6.4',
    made: { thisModuleBytes: 832, vermagic: asVersion('6.4.0-1').vermagic },
    kernel: asVersion('6.4.0-1'),
    expected: ['this-module fail'],
  },
  {
    what: 'a smaller struct module, on RHEL',
    made: { thisModuleBytes: 832, vermagic: asVersion('5.14.0-427.el9_4.x86_64').vermagic },
    kernel: asVersion('5.14.0-427.el9_4.x86_64'),
    expected: ['this-module fail'],
  },
  {
    what: 'two .modinfo, since 6.4',
    made: {
      vermagic: asVersion('6.4.0-1').vermagic,
      sections: [{ name: '.modinfo', bytes: Buffer.from('a=b\0'), flags: 2 }],
    },
    kernel: asVersion('6.4.0-1'),
    expected: ['elf fail'],
  },
  {
    what: 'a section that is written and run',
    made: { edit: withFlags('.text', 7) },
    expected: ['elf fail'],
  },
  { what: 'code that may not be run', made: { edit: withFlags('.text', 2) }, expected: ['elf fail'] },
  {
    what: 'a struct module that may not be written',
    made: { edit: withFlags('.gnu.linkonce.this_module', 2) },
    expected: ['this-module fail'],
  },
  {
    what: 'another name in struct module',
    made: {
      edit: withBytes('.gnu.linkonce.this_module', (bytes) =>
        Buffer.concat([bytes.subarray(0, 24), Buffer.from('other\0'), bytes.subarray(30)]),
      ),
    },
    expected: ['name fail'],
  },
  {
    what: 'a .modinfo that is not loaded, before 6.4',
    made: { edit: withFlags('.modinfo', 0) },
    expected: ['vermagic warn'],
  },
  {
    what: 'a .modinfo that is not loaded, since 6.4',
    made: { edit: withFlags('.modinfo', 0), vermagic: asVersion('6.4.0-1').vermagic },
    kernel: asVersion('6.4.0-1'),
    expected: [],
  },
  {
    what: 'more memory than there is',
    made: { sections: [{ name: '.bss.big', bytes: Buffer.alloc(0), sizeBytes: 2 ** 31, type: 8, flags: 3 }] },
    expected: ['elf fail'],
  },
  {
    what: 'a common symbol',
    made: { symbols: [{ name: 'common', section: 0xfff2 }] },
    expected: ['relocations fail'],
  },
  {
    what: 'a common symbol of link-time optimisation',
    made: { symbols: [{ name: '__gnu_lto_slim', section: 0xfff2 }] },
    expected: [],
  },
  {
    what: 'a symbol of no section',
    made: { symbols: [{ name: 'lost', section: 200 }] },
    expected: ['relocations fail'],
  },
  {
    what: 'a symbol of live patching',
    made: { symbols: [{ name: '.klp.sym', section: 0xff20 }] },
    expected: [],
  },
  {
    what: 'relocations that the kernel knows',
    made: {
      relocations: [
        [2, 0, 1],
        [11, 4, 2],
        [1, 8, 2],
      ],
    },
    expected: [],
  },
  {
    what: 'a relocation of an unknown type',
    made: { relocations: [[42, 0, 1]] },
    expected: ['relocations fail'],
  },
  {
    what: 'a relocation beyond its section',
    made: { relocations: [[2, 62, 1]] },
    expected: ['relocations fail'],
  },
  { what: 'a relocation to no symbol', made: { relocations: [[2, 0, 99]] }, expected: ['relocations fail'] },
  {
    what: 'a relocation over a value',
    made: { relocations: [[2, 0, 1]], text: Buffer.alloc(64, 1) },
    expected: ['relocations fail'],
  },
  {
    what: 'two relocations for one place',
    made: {
      relocations: [
        [2, 0, 1],
        [2, 0, 1],
      ],
    },
    expected: ['relocations fail'],
  },
  { what: 'an address of 32 bits', made: { relocations: [[10, 0, 2]] }, expected: ['relocations fail'] },
  {
    what: 'types of another kernel',
    made: { sections: [btf()], vermagic: VERMAGIC.replace('-56-', '-55-') },
    expected: ['btf warn'],
  },
  {
    what: 'types of another kernel, where they must fit',
    made: { sections: [btf()], vermagic: VERMAGIC.replace('-56-', '-55-') },
    kernel: withConfig(KERNEL, { CONFIG_MODULE_ALLOW_BTF_MISMATCH: 'n' }),
    expected: ['btf fail'],
  },
  {
    what: 'types that are none',
    made: { sections: [btf(0)] },
    kernel: withConfig(KERNEL, { CONFIG_MODULE_ALLOW_BTF_MISMATCH: 'n' }),
    expected: ['btf fail'],
  },
  { what: 'types that may fit', made: { sections: [btf()] }, expected: ['btf skip'] },
  {
    what: 'types that nobody reads',
    made: { sections: [btf(0)] },
    kernel: withConfig(KERNEL, { CONFIG_DEBUG_INFO_BTF_MODULES: 'n' }),
    expected: [],
  },
  {
    what: 'a patch of a kernel that cannot be patched',
    made: { modinfo: ['livepatch=Y'] },
    kernel: withConfig(KERNEL, { CONFIG_LIVEPATCH: 'n' }),
    expected: ['livepatch fail'],
  },
  { what: 'a patch of the kernel', made: { modinfo: ['livepatch=Y'] }, expected: ['livepatch warn'] },
  { what: 'another name than its file', made: { name: 'other' }, expected: ['name fail'] },
  { what: 'an alias outside of ASCII', made: { modinfo: ['alias=pci:\u00e9'] }, expected: ['aliases fail'] },
];

function without(name: string): NonNullable<MadeModule['edit']> {
  return (sections) => sections.filter((section) => section.name !== name);
}

function withFlags(name: string, flags: number): NonNullable<MadeModule['edit']> {
  return (sections) => sections.map((section) => (section.name === name ? { ...section, flags } : section));
}

function withBytes(name: string, change: (bytes: Buffer) => Buffer): NonNullable<MadeModule['edit']> {
  return (sections) =>
    sections.map((section) =>
      section.name === name ? { ...section, bytes: change(section.bytes) } : section,
    );
}

/** Types, with a header that says so. */
export function btf(magic = 0xeb9f) {
  const bytes = Buffer.alloc(25);
  bytes.writeUInt16LE(magic, 0);
  bytes.writeUInt8(1, 2);
  bytes.writeUInt32LE(24, 4);
  bytes.writeUInt32LE(1, 20);
  return { name: '.BTF', bytes };
}
