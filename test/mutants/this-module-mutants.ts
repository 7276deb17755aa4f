import { ALLOC, PROGBITS, WRITE } from './elf-mutants.ts';
import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

const SECTION = '.gnu.linkonce.this_module';
/** Where `struct module` has its name, and how much room there is for it. */
const [NAME_AT, NAME_BYTES] = [24, 56] as const;

/** Gives the module another name in the structure that the kernel takes it from. */
export function renameThisModule(module: ModuleEditor, name: string): void {
  const field = Buffer.alloc(NAME_BYTES);
  field.write(name);
  module.section(SECTION).patch(NAME_AT, field);
}

function thisModule(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  edit: (module: ModuleEditor) => void,
  kernelOf: NonNullable<Mutant['kernelOf']> = {},
): Mutant {
  return { id, check: 'this-module', of: 'mu_driver', change, kernel, kernelOf, edit };
}

/** `struct module`, which the module brings along for the kernel to fill. */
export const THIS_MODULE_MUTANTS: readonly Mutant[] = [
  thisModule('this-module-none', 'there is none', 'refused', (m) => {
    m.section(SECTION).rename('.gnu.linkonce.that_module');
  }),
  thisModule(
    'this-module-twice',
    'there are two, the first one right',
    'refused',
    (m) => {
      const { data } = m.section(SECTION);
      m.addSection({ name: SECTION, type: PROGBITS, flags: WRITE | ALLOC, data });
    },
    { '6.1': 'accepted' },
  ),
  thisModule(
    'this-module-long',
    'it is 64 bytes too long',
    'refused',
    (m) => {
      const section = m.section(SECTION);
      section.replace(Buffer.concat([section.data, Buffer.alloc(64)]));
    },
    { '6.1': 'accepted' },
  ),
  thisModule(
    'this-module-short',
    'it is 64 bytes too short',
    'refused',
    (m) => {
      const section = m.section(SECTION);
      section.set('size', section.get('size') - 64);
    },
    { '6.1': 'accepted' },
  ),
  thisModule('this-module-unloaded', 'it is not loaded', 'refused', (m) => {
    m.section(SECTION).set('flags', WRITE);
  }),
  thisModule('this-module-name', 'another name than .modinfo has', 'accepted', (m) => {
    renameThisModule(m, 'mu_other');
  }),
  {
    ...thisModule('this-module-name-loaded', 'the name of a module that is loaded', 'refused', (m) => {
      renameThisModule(m, 'mu_provider');
    }),
    check: 'name',
  },
];
