import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

/** Where a pointer stands that nothing reads, and its relocation. */
const [SPARE, SPARE_TARGET] = ['.rela.exit.data', '.exit.data'] as const;
const [NONE, OF_32_BITS, REL] = [0, 10, 9] as const;

function relocation(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  edit: (module: ModuleEditor) => void,
): Mutant {
  return { id, check: 'relocations', of: 'mu_driver', change, kernel, edit };
}

export const RELOCATION_MUTANTS: readonly Mutant[] = [
  relocation('relocation-type', 'a type that no machine has', 'refused', (m) => {
    m.relocation(SPARE).set('type', 200);
  }),
  relocation('relocation-type-got', 'a type that only programs have', 'refused', (m) => {
    m.relocation('.rela.init.text').set('type', 9);
  }),
  relocation('relocation-none', 'one that does nothing', 'accepted', (m) => {
    m.relocation(SPARE).set('type', NONE);
  }),
  relocation('relocation-narrow', 'an address that does not fit', 'refused', (m) => {
    m.relocation(SPARE).set('type', OF_32_BITS);
  }),
  relocation('relocation-target', 'something stands already where it goes', 'refused', (m) => {
    m.section(SPARE_TARGET).patch(0, Buffer.from([1]));
  }),
  relocation('relocation-twice', 'two for one place', 'refused', (m) => {
    const { data } = m.section(SPARE);
    m.section(SPARE).replace(Buffer.concat([data, data]));
  }),
  relocation('relocation-no-addends', 'a table without addends', 'refused', (m) => {
    m.section(SPARE).set('type', REL);
  }),
  relocation('relocation-symbol-beyond', 'a symbol just after the last one', 'accepted', (m) => {
    m.relocation(SPARE).set('symbol', m.symbols.length);
  }),
  relocation('relocation-offset-beyond', 'a place just after its section', 'accepted', (m) => {
    m.relocation(SPARE).set('offset', m.section(SPARE_TARGET).get('size') + 8);
  }),
  relocation('relocation-section-beyond', 'a table for a section that there is not', 'accepted', (m) => {
    m.section(SPARE).set('info', m.readHeader('e_shnum') + 1);
  }),
  relocation('relocation-section-null', 'a table for no section', 'accepted', (m) => {
    m.section(SPARE).set('info', 0);
  }),
  relocation('relocation-unloaded', 'a broken table for a section that is not loaded', 'accepted', (m) => {
    m.relocation(SPARE).set('type', 200);
    m.section(SPARE).set('info', m.section('.comment').index);
  }),
];
