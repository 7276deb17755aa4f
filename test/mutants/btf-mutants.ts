import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

function btf(id: string, change: string, edit: (module: ModuleEditor) => void): Mutant {
  return { id, check: 'btf', of: 'dummy', change, kernel: 'accepted', edit };
}

/** Debian's kernels warn of type information that does not fit, and go on. */
export const BTF_MUTANTS: readonly Mutant[] = [
  btf('btf-magic', 'not BTF', (m) => {
    m.section('.BTF').patch(0, Buffer.from([0, 0]));
  }),
  btf('btf-cut', 'half of it', (m) => {
    const section = m.section('.BTF');
    section.set('size', Math.floor(section.get('size') / 2));
  }),
  btf('btf-types', 'types that refer to types that there are not', (m) => {
    m.section('.BTF').patch(24, Buffer.alloc(64, 0xff));
  }),
  btf('btf-none', 'none, in a module that had it', (m) => {
    m.section('.BTF').rename('.nothing');
  }),
];
