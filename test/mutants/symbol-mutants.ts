import type { CheckId } from '../../src/verify/report.ts';
import type { Mutant, SourceModule } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

const [GLOBAL, WEAK, LOCAL] = [0x10, 0x20, 0x00] as const;

function symbols(check: CheckId, of: SourceModule = 'mu_driver') {
  return (
    id: string,
    change: string,
    kernel: Mutant['kernel'],
    edit: (module: ModuleEditor) => void,
    kernelOf: NonNullable<Mutant['kernelOf']> = {},
  ): Mutant => ({ id, check, of, change, kernel, kernelOf, edit });
}

const imports = symbols('symbols');
const exports = symbols('exports');

/** Gives an export another name of the same length: in the string that the kernel reads, and in the symbols. */
function renameExport(module: ModuleEditor, from: string, to: string): void {
  renameExportString(module, from, to);
  for (const prefix of ['__crc_', '__ksymtab_', '__kstrtab_', '__kstrtabns_']) {
    module.symbol(`${prefix}${from}`).rename(`${prefix}${to}`);
  }
}

function renameExportString(module: ModuleEditor, from: string, to: string): void {
  const strings = module.section('__ksymtab_strings');
  const at = strings.data.indexOf(`${from}\0`);
  if (at < 0 || from.length !== to.length) throw new Error(`${from} cannot be renamed to ${to}`);
  strings.patch(at, Buffer.from(to));
}

export const SYMBOL_MUTANTS: readonly Mutant[] = [
  { id: 'unchanged', check: 'symbols', of: 'mu_driver', change: 'nothing', kernel: 'accepted' },
  { id: 'unchanged-leaf', check: 'symbols', of: 'mu_leaf', change: 'nothing', kernel: 'accepted' },
  { id: 'unchanged-in-tree', check: 'symbols', of: 'dummy', change: 'nothing', kernel: 'accepted' },
  imports('symbol-renamed', 'imports a symbol that there is not', 'refused', (m) => {
    m.symbol('kfree').rename('mu_kfree');
  }),
  imports('symbol-renamed-module', 'imports a symbol that the other module does not have', 'refused', (m) => {
    m.symbol('mu_pv').rename('mu_pvv');
  }),
  imports(
    'symbol-added',
    'imports one more symbol that there is not, and does not use it',
    'refused',
    (m) => {
      m.addSymbol('mu_never_was');
    },
  ),
  imports('symbol-added-weak', 'one more weak import that there is not', 'accepted', (m) => {
    m.addSymbol('mu_never_was', { info: WEAK });
  }),
  imports('symbol-added-local', 'one more import that there is not, with local binding', 'refused', (m) => {
    m.addSymbol('mu_never_was', { info: LOCAL });
  }),
  imports('symbol-added-nameless', 'one more import without a name', 'refused', (m) => {
    m.addSymbol('');
  }),
  imports('symbol-got', 'an import of the offset table that old linkers leave', 'accepted', (m) => {
    m.addSymbol('_GLOBAL_OFFSET_TABLE_');
  }),
  imports('symbol-toc', 'an import of the table that only PowerPC has', 'refused', (m) => {
    m.addSymbol('.TOC.');
  }),
  imports('symbol-dot', 'an import with the dot that only PowerPC drops', 'refused', (m) => {
    m.symbol('kfree').rename('.kfree');
  }),
  imports('symbol-strong', 'a weak import that there is not becomes a strong one', 'refused', (m) => {
    m.symbol('mu_nowhere').set('info', GLOBAL);
  }),
  imports('symbol-weak', 'a strong import that is there becomes a weak one', 'accepted', (m) => {
    m.symbol('mu_pv').set('info', WEAK);
  }),
  imports('symbol-not-exported', 'imports a function of the kernel that is not exported', 'refused', (m) => {
    m.addSymbol('start_kernel');
  }),
  imports('symbol-no-crc', 'one more import of a symbol that is there, without its CRC', 'refused', (m) => {
    m.addSymbol('kmemdup');
  }),
  imports('symbol-twice', 'imports a symbol twice', 'accepted', (m) => {
    m.addSymbol('kfree');
  }),
  imports('symbol-of-nobody', 'imports its own export by an undefined symbol', 'refused', (m) => {
    m.addSymbol('mu_xp');
  }),

  exports('export-kernel', 'exports a symbol that the kernel exports', 'refused', (m) => {
    renameExport(m, 'mu_xp', 'kfree');
  }),
  exports('export-kernel-gpl', 'exports, for GPL only, a symbol that the kernel exports', 'refused', (m) => {
    renameExport(m, 'mu_xg', 'kfree');
  }),
  exports('export-module', 'exports a symbol that another module exports', 'refused', (m) => {
    renameExport(m, 'mu_xp', 'mu_pv');
  }),
  exports(
    'export-kernel-string',
    'exports a symbol of the kernel, and the symbol table does not show it',
    'refused',
    (m) => {
      renameExportString(m, 'mu_xp', 'kfree');
    },
  ),
  exports('export-own-twice', 'exports one symbol twice', 'accepted', (m) => {
    renameExportString(m, 'mu_xg', 'mu_xp');
  }),
  exports('export-no-crc', 'its exports have no CRCs', 'accepted', (m) => {
    m.section('__kcrctab').rename('__nothing');
    m.section('__kcrctab_gpl').rename('__nothing_gpl');
  }),
  exports('export-other-crc', 'its exports have other CRCs than before', 'accepted', (m) => {
    const crcs = m.section('__kcrctab');
    crcs.patch(0, Buffer.from([1, 2, 3, 4]));
  }),
  exports('export-hidden', 'the symbols of its exports have other names', 'accepted', (m) => {
    for (const symbol of m.symbols) {
      if (/^__(crc|ksymtab|kstrtab|kstrtabns)_/.test(symbol.name)) symbol.rename(`hidden${symbol.name}`);
    }
  }),
];
