import type { CheckId } from '../../src/verify/report.ts';
import { ALLOC, NOBITS } from './elf-mutants.ts';
import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

/** Relocations of a pointer that nothing reads. */
const SPARE = '.rela.exit.data';

/** What kernels of these series do not check, and fall over. */
export const CRASHING_MUTANTS: readonly Mutant[] = [
  crash('relocation-symbol', 'relocations', 'a symbol far beyond the last one', (m) => {
    m.relocation(SPARE).set('symbol', 0x7fffffff);
  }),
  crash('relocation-offset', 'relocations', 'a place far beyond its section', (m) => {
    m.relocation(SPARE).set('offset', 2 ** 40);
  }),
  crash('symbol-name', 'elf', 'the name of a symbol lies far beyond the file', (m) => {
    m.symbol('mu_count').set('name', 0x7fffffff);
  }),
  crash('init', 'elf', 'the code of init() may not be run', (m) => {
    m.section('.init.text').set('flags', ALLOC);
  }),
  crash('this-module', 'this-module', 'struct module may not be written', (m) => {
    m.section('.gnu.linkonce.this_module').set('flags', ALLOC);
  }),
  {
    ...crash('this-module-nobits', 'this-module', 'struct module has no bytes in the file', (m) => {
      m.section('.gnu.linkonce.this_module').set('type', NOBITS);
    }),
    kernelOf: { '6.12': 'refused' },
  },
];

function crash(what: string, check: CheckId, change: string, edit: (module: ModuleEditor) => void): Mutant {
  return { id: `crash-${what}`, check, of: 'mu_driver', change, kernel: 'crashes', edit };
}
