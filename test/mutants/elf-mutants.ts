import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

/** Types and flags of sections, as `elf.h` has them. */
export const [PROGBITS, SYMTAB, STRTAB, NOBITS] = [1, 2, 3, 8] as const;
export const [WRITE, ALLOC, EXECUTE] = [1, 2, 4] as const;
const FAR = 2 ** 62;

function elf(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  edit: (module: ModuleEditor) => void,
  kernelOf: NonNullable<Mutant['kernelOf']> = {},
): Mutant {
  return { id, check: 'elf', of: 'mu_driver', change, kernel, kernelOf, edit };
}

/** Header of the file, table of sections, and the two tables of names. */
export const ELF_MUTANTS: readonly Mutant[] = [
  elf('elf-magic', 'the file starts with other bytes', 'refused', (m) => {
    m.header('magic', 0x464c4500);
  }),
  elf('elf-class', 'the file says to be of 32 bits', 'accepted', (m) => {
    m.header('class', 1);
  }),
  elf('elf-order', 'the file says to be big-endian', 'accepted', (m) => {
    m.header('order', 2);
  }),
  elf('elf-version', 'the version of the format is 9, in both places', 'accepted', (m) => {
    m.header('version', 9);
    m.header('e_version', 9);
  }),
  elf('elf-flags', 'flags for the processor', 'accepted', (m) => {
    m.header('e_flags', 0x50000000);
  }),
  elf('elf-type', 'an executable instead of a relocatable file', 'refused', (m) => {
    m.header('e_type', 2);
  }),
  elf('elf-type-core', 'a core dump instead of a relocatable file', 'refused', (m) => {
    m.header('e_type', 4);
  }),
  {
    ...elf('arch-aarch64', 'machine of another architecture', 'refused', (m) => {
      m.header('e_machine', 183);
    }),
    check: 'architecture',
  },
  {
    ...elf('arch-i386', 'machine of the same family with 32 bits', 'refused', (m) => {
      m.header('e_machine', 3);
    }),
    check: 'architecture',
  },
  {
    ...elf('arch-none', 'no machine', 'refused', (m) => {
      m.header('e_machine', 0);
    }),
    check: 'architecture',
  },
  elf('elf-shentsize', 'section headers of 40 bytes', 'refused', (m) => {
    m.header('e_shentsize', 40);
  }),
  elf('elf-shoff-end', 'the table of sections starts where the file ends', 'refused', (m) => {
    m.header('e_shoff', m.bytes.length);
  }),
  elf('elf-shoff-far', 'the table of sections starts far beyond the file', 'refused', (m) => {
    m.header('e_shoff', FAR);
  }),
  elf('elf-shnum-many', 'more sections than fit into the file', 'refused', (m) => {
    m.header('e_shnum', 65_535);
  }),
  elf('elf-shnum-none', 'no sections', 'refused', (m) => {
    m.header('e_shnum', 0);
  }),
  elf('elf-shstrndx-zero', 'no section with names of sections', 'refused', (m) => {
    m.header('e_shstrndx', 0);
  }),
  elf('elf-shstrndx-beyond', 'names of sections in a section that there is not', 'refused', (m) => {
    m.header('e_shstrndx', m.readHeader('e_shnum'));
  }),
  elf('elf-shstrndx-other', 'names of sections in the table of symbols', 'refused', (m) => {
    m.header('e_shstrndx', m.section('.symtab').index);
  }),
  elf(
    'elf-shstrtab-type',
    'the table of section names is no string table',
    'refused',
    (m) => {
      m.section('.shstrtab').set('type', PROGBITS);
    },
    { '6.1': 'accepted' },
  ),
  elf('elf-shstrtab-empty', 'the table of section names is empty', 'refused', (m) => {
    m.section('.shstrtab').set('size', 0);
  }),
  elf('elf-shstrtab-open', 'the last name of a section does not end', 'refused', (m) => {
    const names = m.section('.shstrtab');
    names.replace(Buffer.concat([names.data, Buffer.from('open')]));
  }),
  elf('elf-null-type', 'the first section is not empty: a type', 'refused', (m) => {
    m.sections[0]?.set('type', PROGBITS);
  }),
  elf('elf-null-size', 'the first section is not empty: a size', 'refused', (m) => {
    m.sections[0]?.set('size', 1);
  }),
  elf('elf-null-address', 'the first section is not empty: an address', 'refused', (m) => {
    m.sections[0]?.set('address', 4096);
  }),
  elf('elf-section-end', 'a section that is not loaded reaches one byte beyond the file', 'refused', (m) => {
    const comment = m.section('.comment');
    comment.set('size', m.bytes.length - comment.get('offset') + 1);
  }),
  elf('elf-section-far', 'the code starts far beyond the file', 'refused', (m) => {
    m.section('.text').set('offset', FAR);
  }),
  elf('elf-section-wrap', 'offset and size of a section wrap around', 'refused', (m) => {
    const comment = m.section('.comment');
    comment.set('offset', 2 ** 64 - 2048);
    comment.set('size', 4096);
  }),
  elf('elf-nobits-far', 'a section without bytes starts far beyond the file', 'accepted', (m) => {
    m.section('.bss').set('offset', FAR);
  }),
  elf('elf-overlap', 'two sections have the same bytes', 'accepted', (m) => {
    const comment = m.section('.comment');
    comment.set('offset', m.section('.text').get('offset'));
    comment.set('size', m.section('.text').get('size'));
  }),
  elf('elf-name-loaded', 'the name of a section that is loaded lies beyond all names', 'refused', (m) => {
    m.section('.note.Linux').set('name', m.section('.shstrtab').get('size'));
  }),
  elf(
    'elf-name-other',
    'the name of a section that is not loaded lies beyond all names',
    'refused',
    (m) => {
      m.section('.comment').set('name', m.section('.shstrtab').get('size') + 16);
    },
    { '6.1': 'accepted' },
  ),
  elf('elf-wx', 'a section may be written and run', 'refused', (m) => {
    m.section('.text').set('flags', WRITE | ALLOC | EXECUTE);
  }),
  elf('elf-wx-unloaded', 'a section that is not loaded may be written and run', 'refused', (m) => {
    m.section('.comment').set('flags', WRITE | EXECUTE);
  }),
  elf('elf-extra-section', 'one more section that nobody knows', 'accepted', (m) => {
    m.addSection({ name: '.mutant', type: PROGBITS, flags: ALLOC, data: Buffer.alloc(100, 7) });
  }),
  elf('elf-extra-nobits', 'one more section without bytes and without place', 'accepted', (m) => {
    m.addSection({ name: '.mutant', type: NOBITS, data: Buffer.alloc(0) });
    m.section('.mutant').set('size', FAR);
  }),

  elf('symtab-none', 'the table of symbols is none', 'refused', (m) => {
    m.section('.symtab').set('type', PROGBITS);
  }),
  elf(
    'symtab-two',
    'two tables of symbols, the first one right',
    'refused',
    (m) => {
      m.addSection({
        name: '.symtab2',
        type: SYMTAB,
        link: m.section('.strtab').index,
        data: Buffer.alloc(48),
      });
    },
    { '6.1': 'accepted' },
  ),
  elf('symtab-link-zero', 'the table of symbols has no table of names', 'refused', (m) => {
    m.section('.symtab').set('link', 0);
  }),
  elf('symtab-link-beyond', 'names of symbols in a section that there is not', 'refused', (m) => {
    m.section('.symtab').set('link', m.readHeader('e_shnum'));
  }),
  elf('symtab-link-other', 'names of symbols in the names of sections', 'refused', (m) => {
    m.section('.symtab').set('link', m.section('.shstrtab').index);
  }),
  elf('symtab-partial', 'the table of symbols ends inside a symbol', 'accepted', (m) => {
    const table = m.section('.symtab');
    table.replace(Buffer.concat([table.data, Buffer.alloc(7)]));
  }),
  elf(
    'strtab-type',
    'the names of symbols are no string table',
    'refused',
    (m) => {
      m.section('.strtab').set('type', PROGBITS);
    },
    { '6.1': 'accepted' },
  ),
  elf('strtab-open', 'the last name of a symbol does not end, and nobody has it', 'accepted', (m) => {
    const names = m.section('.strtab');
    names.replace(Buffer.concat([names.data, Buffer.from('open')]));
  }),
  elf('symbol-name-beyond', 'the name of a symbol lies beyond all names', 'accepted', (m) => {
    m.symbol('mu_count').set('name', m.section('.strtab').get('size') + 8);
  }),
  elf('symbol-section-beyond', 'a symbol in a section that there is not', 'refused', (m) => {
    m.symbol('mu_count').set('section', m.readHeader('e_shnum') + 7);
  }),
  elf('symbol-section-reserved', 'a symbol in a reserved section', 'refused', (m) => {
    m.symbol('mu_count').set('section', 0xff00);
  }),
  elf('symbol-common', 'a common symbol', 'refused', (m) => {
    m.addSymbol('mu_shared', { section: 0xfff2, value: 8 });
  }),
  elf('symbol-common-lto', 'the common symbol that compilers mark objects with', 'accepted', (m) => {
    m.addSymbol('__gnu_lto_slim', { section: 0xfff2, value: 1 });
  }),
  elf('symbol-absolute', 'an absolute symbol', 'accepted', (m) => {
    m.addSymbol('mu_absolute', { section: 0xfff1, value: 1234 });
  }),
  elf('symbol-livepatch', 'a symbol that live patching would resolve', 'accepted', (m) => {
    m.addSymbol('mu_patched', { section: 0xff20 });
  }),
];
