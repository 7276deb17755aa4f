import { ALLOC, PROGBITS } from './elf-mutants.ts';
import { addField, dropField, editModinfo, setField } from './modinfo-edits.ts';
import type { CheckId } from '../../src/verify/report.ts';
import type { Mutant, SourceModule } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';
import { renameThisModule } from './this-module-mutants.ts';

function modinfo(check: CheckId, of: SourceModule = 'mu_driver') {
  return (
    id: string,
    change: string,
    kernel: Mutant['kernel'],
    edit: (module: ModuleEditor) => void,
    kernelOf: NonNullable<Mutant['kernelOf']> = {},
  ): Mutant => ({ id, check, of, change, kernel, kernelOf, edit });
}

const section = modinfo('elf');
const vermagic = modinfo('vermagic');
const leafVermagic = modinfo('vermagic', 'mu_leaf');
const livepatch = modinfo('livepatch');
const licence = modinfo('licence');
const leafLicence = modinfo('licence', 'mu_leaf');
const namespace = modinfo('namespaces');
const name = modinfo('name');
const depends = modinfo('dependencies');
const parameters = modinfo('parameters');
const aliases = modinfo('aliases');
const firmware = modinfo('firmware');

function word(drop: RegExp, put = ''): (module: ModuleEditor) => void {
  return (m) => {
    setField(m, 'vermagic', (value) => {
      if (!drop.test(value)) throw new Error(`There is no ${String(drop)} in ${value}`);
      return value.replace(drop, put);
    });
  };
}

function licensed(as: string): (module: ModuleEditor) => void {
  return (m) => {
    setField(m, 'license', () => as);
  };
}

export const MODINFO_MUTANTS: readonly Mutant[] = [
  section('modinfo-none', 'there is no .modinfo', 'refused', (m) => {
    m.section('.modinfo').rename('.nothing');
  }),
  section('modinfo-empty', '.modinfo is empty', 'refused', (m) => {
    m.section('.modinfo').set('size', 0);
  }),
  section(
    'modinfo-twice',
    'two .modinfo, the first one right',
    'refused',
    (m) => {
      m.addSection({ name: '.modinfo', type: PROGBITS, flags: ALLOC, data: Buffer.from('license=XPL\0') });
    },
    { '6.1': 'accepted' },
  ),
  section(
    'modinfo-unloaded',
    '.modinfo is not loaded',
    'accepted',
    (m) => {
      m.section('.modinfo').set('flags', 0);
    },
    { '6.1': 'refused' },
  ),
  section('modinfo-open', 'the last field does not end', 'accepted', (m) => {
    const { data } = m.section('.modinfo');
    m.section('.modinfo').replace(Buffer.concat([data, Buffer.from('author=nobod')]));
  }),
  section('modinfo-no-value', 'a field without a value', 'accepted', (m) => {
    addField(m, 'mutant', 'first');
  }),

  vermagic('vermagic-release', 'another release, the rest right', 'accepted', word(/^\S+/, '6.1.0-1-other')),
  vermagic('vermagic-smp', 'without SMP', 'refused', word(/SMP /)),
  vermagic('vermagic-preempt', 'without its word of preemption', 'refused', word(/preempt\w* /)),
  vermagic('vermagic-unload', 'without mod_unload', 'refused', word(/mod_unload /)),
  vermagic('vermagic-modversions', 'without modversions', 'refused', word(/modversions /)),
  vermagic('vermagic-more', 'with a word more', 'refused', word(/modversions /, 'modversions RANDSTRUCT ')),
  vermagic('vermagic-blank', 'without its last blank', 'refused', word(/ $/)),
  vermagic('vermagic-empty', 'empty', 'refused', word(/.*/)),
  vermagic('vermagic-release-only', 'nothing but the release', 'refused', word(/ .*/)),
  vermagic('vermagic-none', 'none', 'accepted', (m) => {
    dropField(m, 'vermagic');
  }),
  vermagic('vermagic-two-right-first', 'two, the first one right', 'accepted', (m) => {
    addField(m, 'vermagic=other');
  }),
  vermagic('vermagic-two-wrong-first', 'two, the first one wrong', 'refused', (m) => {
    addField(m, 'vermagic=other', 'first');
  }),
  leafVermagic('vermagic-no-crcs', 'without CRCs the release must be right, too', 'refused', (m) => {
    m.section('__versions').rename('__nothing');
    setField(m, 'vermagic', (value) => value.replace(/^\S+/, '6.1.0-1-other'));
  }),

  livepatch('livepatch', 'the module says to be a live patch', 'accepted', (m) => {
    addField(m, 'livepatch=Y');
  }),

  ...['GPL v2', 'GPL and additional rights', 'Dual BSD/GPL', 'Dual MIT/GPL', 'Dual MPL/GPL'].map((text) =>
    licence(`licence-${idOf(text)}`, `licence "${text}"`, 'accepted', licensed(text)),
  ),
  ...['Proprietary', 'XPL', 'GPL v3', 'gpl', 'GPL ', 'BSD', ''].map((text) =>
    licence(
      `licence-${idOf(text)}`,
      `licence "${text}", which no GPL-only symbol allows`,
      'refused',
      licensed(text),
    ),
  ),
  licence(
    'licence-nul',
    'licence "GPL", then a NUL and another text',
    'accepted',
    licensed('GPL\0 for show only'),
  ),
  licence('licence-none', 'no licence', 'refused', (m) => {
    dropField(m, 'license');
  }),
  licence('licence-two-gpl-first', 'two licences, GPL first', 'accepted', (m) => {
    addField(m, 'license=Proprietary');
  }),
  licence('licence-two-gpl-last', 'two licences, GPL last', 'refused', (m) => {
    addField(m, 'license=Proprietary', 'first');
  }),
  leafLicence(
    'licence-proprietary-leaf',
    'a proprietary module without GPL-only symbols',
    'accepted',
    (m) => {
      setField(m, 'license', () => 'Proprietary');
    },
  ),
  leafLicence(
    'licence-none-leaf',
    'a module without licence and without GPL-only symbols',
    'accepted',
    (m) => {
      dropField(m, 'license');
    },
  ),
  {
    ...licence(
      'licence-driverloader',
      'a name that kernels take for proprietary, whatever its licence',
      'refused',
      (m) => {
        renameThisModule(m, 'driverloader');
        setField(m, 'name', () => 'driverloader');
      },
    ),
    fileName: 'driverloader.ko',
  },
  {
    ...{ id: 'licence-inherits', check: 'licence', of: 'mu_inherits', kernel: 'accepted' },
    change: 'uses a proprietary module and no GPL-only symbol',
  },
  {
    ...{ id: 'licence-mixed', check: 'licence', of: 'mu_mixed', kernel: 'refused' },
    change: 'uses a proprietary module and a GPL-only symbol',
  },

  namespace('namespace-none', 'the namespace is not imported', 'refused', (m) => {
    dropField(m, 'import_ns');
  }),
  namespace('namespace-other', 'another namespace is imported', 'refused', (m) => {
    setField(m, 'import_ns', () => 'MU_SPACES');
  }),
  namespace('namespace-case', 'the namespace is imported in lower case', 'refused', (m) => {
    setField(m, 'import_ns', (value) => value.toLowerCase());
  }),
  namespace('namespace-list', 'two namespaces in one field', 'refused', (m) => {
    setField(m, 'import_ns', (value) => `${value},DMA_BUF`);
  }),
  namespace('namespace-second', 'the namespace is the second that is imported', 'accepted', (m) => {
    addField(m, 'import_ns=DMA_BUF', 'first');
  }),
  namespace('namespace-unknown', 'a namespace that there is not is imported, too', 'accepted', (m) => {
    addField(m, 'import_ns=MU_NOBODY');
  }),

  name('name-other', 'another name in .modinfo', 'accepted', (m) => {
    setField(m, 'name', () => 'mu_other');
  }),
  name('name-none', 'no name in .modinfo', 'accepted', (m) => {
    dropField(m, 'name');
  }),
  {
    ...{ id: 'name-file', check: 'name', of: 'mu_driver', kernel: 'accepted', fileName: 'mu_renamed.ko' },
    change: 'another name of the file',
  },
  {
    ...{ id: 'name-file-dash', check: 'name', of: 'mu_driver', kernel: 'accepted', fileName: 'mu-driver.ko' },
    change: 'a dash in the name of the file where the module has an underscore',
  },
  {
    ...name('name-both', 'another name, in .modinfo, in the module and of the file', 'accepted', (m) => {
      setField(m, 'name', () => 'mu_other');
      renameThisModule(m, 'mu_other');
    }),
    fileName: 'mu_other.ko',
  },

  depends('depends-none', 'it does not say what it depends on', 'accepted', (m) => {
    setField(m, 'depends', () => '');
  }),
  depends('depends-absent', 'there is no field of dependencies', 'accepted', (m) => {
    dropField(m, 'depends');
  }),
  depends('depends-more', 'it says to depend on a module that it does not use', 'accepted', (m) => {
    setField(m, 'depends', (value) => `${value},mu_secret`);
  }),
  depends('depends-softdep', 'soft dependencies on modules that there are not', 'accepted', (m) => {
    setField(m, 'softdep', () => 'pre: mu_never post: mu_ever');
  }),

  parameters('parameters-undescribed', 'the parameters are not described', 'accepted', (m) => {
    editModinfo(m, (fields) => fields.filter((field) => !field.startsWith('parm')));
  }),
  aliases('alias-bracket', 'an alias with an open bracket', 'accepted', (m) => {
    addField(m, 'alias=pci:v[0');
  }),
  aliases('alias-latin', 'an alias beyond ASCII', 'accepted', (m) => {
    addField(m, 'alias=platform:größe');
  }),
  firmware('firmware-missing', 'it names firmware that nobody has', 'accepted', (m) => {
    addField(m, 'firmware=mu/nowhere.bin');
  }),

  ...['retpoline', 'srcversion', 'version', 'description'].map((key) =>
    section(`modinfo-without-${key}`, `no field ${key}`, 'accepted', (m) => {
      dropField(m, key);
    }),
  ),
  section('modinfo-in-tree', 'it says to have come with the kernel, from staging', 'accepted', (m) => {
    addField(m, 'intree=Y');
    addField(m, 'staging=Y');
  }),
];

function idOf(text: string): string {
  if (text === '') return 'empty';
  const words = text.replace(/ $/, ' blank').replaceAll(/[^A-Za-z0-9]+/g, '-');
  return text === 'gpl' ? 'lower-case' : words.toLowerCase();
}
