import { ALLOC, PROGBITS } from './elf-mutants.ts';
import { setField } from './modinfo-edits.ts';
import type { CheckId } from '../../src/verify/report.ts';
import type { Mutant } from './mutant.ts';
import type { ModuleEditor } from './module-editor.ts';

interface Version {
  readonly crc: bigint;
  readonly name: string;
}

/** Records of `__versions`: a CRC of 8 bytes and a name of 56. */
function editVersions(module: ModuleEditor, edit: (versions: Version[]) => Version[]): void {
  const section = module.section('__versions');
  const { data } = section;
  const versions = Array.from({ length: data.length / 64 }, (_, index) => {
    const record = data.subarray(index * 64, index * 64 + 64);
    return { crc: record.readBigUInt64LE(0), name: record.toString('latin1', 8, record.indexOf(0, 8)) };
  });
  section.replace(
    Buffer.concat(
      edit(versions).map(({ crc, name }) => {
        const record = Buffer.alloc(64);
        record.writeBigUInt64LE(crc);
        record.write(name, 8);
        return record;
      }),
    ),
  );
}

function changeCrc(module: ModuleEditor, symbol: string, change = (crc: bigint): bigint => crc ^ 1n): void {
  editVersions(module, (versions) =>
    versions.map((one) => (one.name === symbol ? { ...one, crc: change(one.crc) } : one)),
  );
}

function dropVersion(module: ModuleEditor, symbol: string): void {
  editVersions(module, (versions) => versions.filter(({ name }) => name !== symbol));
}

function crc(id: string, change: string, symbol: string, check: CheckId = 'symbol-crcs'): Mutant {
  return {
    ...{ id, check, of: 'mu_driver', change, kernel: 'refused' },
    edit: (m) => {
      changeCrc(m, symbol);
    },
  };
}

function versions(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  edit: (module: ModuleEditor) => void,
): Mutant {
  return { id, check: 'versions', of: 'mu_driver', change, kernel, edit };
}

function again(module: ModuleEditor, symbol: string, crcs: (crc: bigint) => readonly bigint[]): void {
  editVersions(module, (all) =>
    all.flatMap((one) => (one.name === symbol ? crcs(one.crc).map((crc) => ({ ...one, crc })) : [one])),
  );
}

/** CRCs of the symbols that a module was built against. */
export const VERSION_MUTANTS: readonly Mutant[] = [
  crc('layout-crc', 'another CRC of module_layout', 'module_layout', 'module-layout'),
  {
    ...versions('layout-missing', 'no CRC of module_layout', 'refused', (m) => {
      dropVersion(m, 'module_layout');
    }),
    check: 'module-layout',
  },
  {
    ...versions('layout-last', 'module_layout is the last of the CRCs', 'accepted', (m) => {
      editVersions(m, ([first, ...rest]) => (first === undefined ? rest : [...rest, first]));
    }),
    check: 'module-layout',
  },
  crc('crc-kernel', 'another CRC of a symbol of the kernel', 'kfree'),
  crc('crc-kernel-gpl', 'another CRC of a GPL-only symbol of the kernel', '__platform_driver_register'),
  crc('crc-data', 'another CRC of a variable of the kernel', 'param_ops_int'),
  crc('crc-module', 'another CRC of a symbol of another module', 'mu_pv'),
  crc('crc-module-space', 'another CRC of a symbol in a namespace', 'mu_provide_space'),
  crc('crc-weak', 'another CRC of a weak import that is there', 'mu_provide_weak'),
  {
    ...versions('crc-zero', 'a CRC of 0', 'refused', (m) => {
      changeCrc(m, 'kfree', () => 0n);
    }),
    check: 'symbol-crcs',
  },
  {
    ...versions('crc-high-bits', 'the right CRC, with bits above its 32', 'refused', (m) => {
      changeCrc(m, 'kfree', (crc) => crc | (1n << 40n));
    }),
    check: 'symbol-crcs',
  },
  {
    ...versions(
      'layout-high-bits',
      'the right CRC of module_layout, with bits above its 32',
      'refused',
      (m) => {
        changeCrc(m, 'module_layout', (crc) => crc | (1n << 63n));
      },
    ),
    check: 'module-layout',
  },
  {
    ...versions('crc-in-tree', 'another CRC of a symbol, in a module of the kernel', 'refused', (m) => {
      changeCrc(m, 'register_netdevice');
    }),
    ...{ of: 'dummy', check: 'symbol-crcs' },
  },
  versions('versions-none', 'no CRCs at all', 'accepted', (m) => {
    m.section('__versions').rename('__nothing');
  }),
  versions('versions-none-other-release', 'no CRCs, and another release of the kernel', 'refused', (m) => {
    m.section('__versions').rename('__nothing');
    setField(m, 'vermagic', (value) => value.replace(/^\S+/, '6.1.0-1-other'));
  }),
  versions('versions-unloaded', 'the CRCs stand in a section that is not loaded', 'accepted', (m) => {
    m.section('__versions').set('flags', 0);
  }),
  versions('versions-empty', 'an empty table of CRCs', 'refused', (m) => {
    m.section('__versions').set('size', 0);
  }),
  versions('versions-shifted', 'all records 8 bytes late', 'refused', (m) => {
    const section = m.section('__versions');
    section.replace(Buffer.concat([Buffer.alloc(8), section.data]));
  }),
  versions('versions-partial', 'the table of CRCs ends inside a record', 'accepted', (m) => {
    const section = m.section('__versions');
    section.replace(Buffer.concat([section.data, Buffer.alloc(40)]));
  }),
  versions('versions-cut', 'the last record is cut off in its middle', 'refused', (m) => {
    const section = m.section('__versions');
    section.set('size', section.get('size') - 32);
  }),
  versions('versions-missing', 'no CRC of a symbol of the kernel', 'refused', (m) => {
    dropVersion(m, 'kfree');
  }),
  versions('versions-missing-module', 'no CRC of a symbol of another module', 'refused', (m) => {
    dropVersion(m, 'mu_pv');
  }),
  versions('versions-missing-weak', 'no CRC of a weak import that is there', 'refused', (m) => {
    dropVersion(m, 'mu_provide_weak');
  }),
  versions('versions-twice', 'a CRC stands there twice', 'accepted', (m) => {
    again(m, 'kfree', (crc) => [crc, crc]);
  }),
  versions('versions-twice-wrong-first', 'two CRCs of a symbol, the first one wrong', 'refused', (m) => {
    again(m, 'kfree', (crc) => [crc ^ 1n, crc]);
  }),
  versions('versions-twice-wrong-last', 'two CRCs of a symbol, the last one wrong', 'accepted', (m) => {
    again(m, 'kfree', (crc) => [crc, crc ^ 1n]);
  }),
  versions('versions-unused', 'a wrong CRC of a symbol that is not imported', 'accepted', (m) => {
    editVersions(m, (all) => [...all, { crc: 1n, name: 'kmemdup' }]);
  }),
  versions('versions-unused-unknown', 'a CRC of a symbol that there is not', 'accepted', (m) => {
    editVersions(m, (all) => [...all, { crc: 1n, name: 'mu_never_was' }]);
  }),
  versions('versions-two-tables', 'a second table of CRCs, which is wrong', 'accepted', (m) => {
    const { data } = m.section('__versions');
    data.fill(0xff, 0, 4);
    m.addSection({ name: '__versions', type: PROGBITS, flags: ALLOC, data });
  }),
  versions(
    'versions-extended-wrong',
    'wrong CRCs in the extended form, right ones in the old',
    'accepted',
    (m) => {
      const [crcs, names] = [Buffer.alloc(4, 1), Buffer.from('kfree\0')];
      m.addSection({ name: '__version_ext_crcs', type: PROGBITS, flags: ALLOC, data: crcs });
      m.addSection({ name: '__version_ext_names', type: PROGBITS, flags: ALLOC, data: names });
    },
  ),
];
