import { describe, expect, it } from 'vitest';
import { parseDepmodConfig, RHEL_DEPMOD_CONFIG } from '../../src/kmod/depmod/config.ts';
import { indexTree, RHEL_INDEX_FORMAT } from '../../src/kmod/depmod/index-tree.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import type { CheckId, ModuleReport } from '../../src/verify/report.ts';
import { verifyTree, type VerifyTreeRequest } from '../../src/verify/verify-tree.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { kernelFacts, readKernelFixture, RELEASE } from './kernel.ts';
import { type MadeModule, makeModuleFile, PRINTK } from './make-module.ts';

type Files = Readonly<Record<string, Buffer>>;

const IN_TREE_SYMVERS = [
  '0x00000011\tbus_open\tdrivers/bus/bus\tEXPORT_SYMBOL\t',
  '0x00000012\tbus_gpl\tdrivers/bus/bus\tEXPORT_SYMBOL_GPL\tBUS',
];
const KERNEL = kernelFacts({
  symvers: Buffer.concat([readKernelFixture('symvers'), Buffer.from(`${IN_TREE_SYMVERS.join('\n')}\n`)]),
});
const BUS = 'kernel/drivers/bus/bus.ko';
const USER = 'kernel/drivers/user/user.ko';
const OTHER_USER = 'kernel/drivers/user/other.ko';
const OPEN = { symbol: 'bus_open', crc: 0x11 };
const GPL = { symbol: 'bus_gpl', crc: 0x12, isGplOnly: true, namespace: 'BUS' };

const made = (name: string, more: MadeModule = {}): Buffer => makeModuleFile({ name, ...more });

/** A base of a bus and two modules that use it. */
const BASE: Files = {
  [BUS]: made('bus', { exports: [OPEN, GPL] }),
  [USER]: made('user', { imports: [PRINTK, OPEN], modinfo: ['depends=bus'] }),
  [OTHER_USER]: made('other', { imports: [OPEN, GPL], modinfo: ['depends=bus', 'import_ns=BUS'] }),
};

function indexesOf(files: Files, config = RHEL_DEPMOD_CONFIG): ReadonlyMap<string, Uint8Array> {
  const modules = Object.entries(files).map(([path, bytes]) => ({ path, module: readModule(bytes) }));
  return indexTree({ modules, config, kernelRelease: RELEASE, format: RHEL_INDEX_FORMAT }).files;
}

/** Verifies what was added to the base, as a build does. */
async function verifyAdded(added: Files, changes: Partial<VerifyTreeRequest> = {}) {
  return verifyTree({
    kernel: KERNEL,
    modules: Object.entries(added).map(([path, bytes]) => ({ path, read: async () => bytes })),
    baseIndexes: indexesOf(BASE),
    files: Object.keys({ ...BASE, ...added }),
    depmodConfig: RHEL_DEPMOD_CONFIG,
    ...changes,
    indexes: changes.indexes ?? indexesOf({ ...BASE, ...added }),
  });
}

function statusOf(report: ModuleReport | undefined, id: CheckId): string | undefined {
  return report?.checks.find((check) => check.id === id)?.status;
}

function detailsOf(report: ModuleReport | undefined, id: CheckId): readonly unknown[] | undefined {
  return report?.checks.find((check) => check.id === id)?.details;
}

describe('verifyTree()', () => {
  it('passes a whole tree, and says what is loaded before each module', async () => {
    const { modules, overrides } = await verifyTree({
      kernel: KERNEL,
      modules: Object.entries(BASE).map(([path, bytes]) => ({ path, read: async () => bytes })),
      indexes: indexesOf(BASE),
    });

    expect(modules.map(({ name, verdict, dependencies }) => ({ name, verdict, dependencies }))).toEqual([
      { name: 'bus', verdict: 'passes', dependencies: [] },
      { name: 'user', verdict: 'passes', dependencies: [BUS] },
      { name: 'other', verdict: 'passes', dependencies: [BUS] },
    ]);
    expect(overrides).toEqual([]);
  });

  it('finds what one added module exports for another, with its CRC and namespace', async () => {
    const added = {
      'extra/kl/kl_provider.ko': readModuleFixture('kl_provider.ko'),
      'extra/kl/kl_consumer.ko': readModuleFixture('kl_consumer.ko'),
    };

    const { modules } = await verifyAdded(added);

    expect(modules.map(({ verdict }) => verdict)).toEqual(['passes', 'passes']);
    expect(modules[1]?.symbols.find(({ symbol }) => symbol === 'kl_spaced')).toMatchObject({
      status: 'ok',
      wanted: '0xacfa705e',
      provider: 'extra/kl/kl_provider.ko',
      namespace: 'KL_NAMESPACE',
    });
    expect(modules[1]?.dependencies).toEqual(['extra/kl/kl_provider.ko']);
  });

  it('takes compressed modules, and fails those that do not unpack', async () => {
    const path = 'extra/kl/kl_provider.ko';
    const packed = readModuleFixture('kl_provider.ko.xz');

    const { modules } = await verifyTree({
      kernel: KERNEL,
      modules: [
        { path, read: async () => packed },
        { path: 'extra/kl/cut.ko.xz', read: async () => packed.subarray(0, 200) },
      ],
      indexes: indexesOf({ [path]: readModuleFixture('kl_provider.ko') }),
    });

    expect(modules.map(({ verdict }) => verdict)).toEqual(['passes', 'fails']);
    expect(statusOf(modules[1], 'elf')).toBe('fail');
  });

  it('fails a module whose CRC is not that of the module beside it', async () => {
    const { modules } = await verifyAdded({
      'extra/a/a.ko': made('a', { imports: [{ ...OPEN, crc: 0x99 }], modinfo: ['depends=bus'] }),
    });

    expect(detailsOf(modules[0], 'symbol-crcs')).toEqual([
      expect.objectContaining({
        subject: 'bus_open',
        wanted: '0x00000011',
        found: '0x00000099',
        provider: BUS,
      }),
    ]);
  });

  it('fails what modprobe does not find, or loads without what it needs', async () => {
    const added = { 'extra/a/a.ko': made('a', { imports: [OPEN], modinfo: ['depends=bus'] }) };
    const stale = await verifyAdded(added, { indexes: indexesOf(BASE) });
    const dep = Buffer.from(indexesOf({ ...BASE, ...added }).get('modules.dep') ?? []).toString();
    const wrong = new Map([
      ...indexesOf({ ...BASE, ...added }),
      ['modules.dep', Buffer.from(dep.replace(/a\.ko: .*/, 'a.ko:'))] as const,
    ]);
    const incomplete = await verifyAdded(added, { indexes: wrong });

    expect(statusOf(stale.modules[0], 'dependencies')).toBe('fail');
    expect(detailsOf(incomplete.modules[0], 'dependencies')).toEqual([
      expect.objectContaining({ subject: 'bus_open', provider: BUS }),
    ]);
  });

  it('warns when depends= is not what the symbols need', async () => {
    const { modules } = await verifyAdded({ 'extra/a/a.ko': made('a', { imports: [OPEN] }) });

    expect(modules[0]?.checks.find(({ id }) => id === 'dependencies')).toMatchObject({
      status: 'warn',
      wanted: 'bus',
      found: '',
    });
  });

  it('lets a proprietary module taint those that use it', async () => {
    const closed = { symbol: 'closed_open', crc: 5 };
    const chained = { symbol: 'chained_open', crc: 6 };
    const { modules } = await verifyAdded({
      'extra/c/closed.ko': made('closed', { license: 'Proprietary', exports: [closed] }),
      'extra/c/chained.ko': made('chained', {
        imports: [closed],
        exports: [chained],
        modinfo: ['depends=closed'],
      }),
      'extra/c/user_of_both.ko': made('user_of_both', {
        imports: [chained, GPL],
        modinfo: ['depends=chained,bus', 'import_ns=BUS'],
      }),
      'extra/c/user_of_one.ko': made('user_of_one', { imports: [chained], modinfo: ['depends=chained'] }),
    });

    expect(modules.map((module) => statusOf(module, 'licence'))).toEqual(['pass', 'pass', 'fail', 'pass']);
    expect(detailsOf(modules[2], 'licence')).toEqual([
      expect.objectContaining({ subject: 'chained_open', provider: 'extra/c/chained.ko' }),
    ]);
  });

  it('warns of two modules that export one symbol, and fails where one needs the other', async () => {
    const a = { symbol: 'twin', crc: 1 };
    const { modules } = await verifyAdded({
      'extra/t/a.ko': made('a', { exports: [a, { symbol: 'a_own', crc: 3 }] }),
      'extra/t/b.ko': made('b', { exports: [a] }),
    });

    expect(modules.map((module) => statusOf(module, 'exports')).sort()).toEqual(['pass', 'warn']);
  });
});

describe('verifyTree() on files of one name', () => {
  it('fails the file that loses, and one whose priority the file system decides', async () => {
    const files = { 'extra/a/same.ko': made('same'), 'updates/same.ko': made('same') };
    const lost = await verifyAdded(files);
    const twins = { 'extra/a/same.ko': made('same'), 'extra/b/same.ko': made('same') };
    const equal = await verifyAdded(twins, { indexes: indexesOf({ 'extra/a/same.ko': made('same') }) });

    expect(lost.modules.map((module) => statusOf(module, 'precedence'))).toEqual(['fail', 'pass']);
    expect(equal.modules.map((module) => statusOf(module, 'precedence'))).toEqual(['fail', 'fail']);
  });

  it('fails a module that is built in, and one that depmod never looks at', async () => {
    const name = [...KERNEL.builtins][0] ?? '';
    const builtin = await verifyAdded({ [`extra/${name}.ko`]: made(name) });
    const config = parseDepmodConfig([
      { directory: 'etc/depmod.d', name: 'a.conf', text: 'search extra built-in\nexclude hidden\n' },
    ]);
    const hidden = await verifyAdded(
      { 'extra/hidden/a.ko': made('a'), 'extra/a.ko': made('a') },
      { depmodConfig: config, indexes: indexesOf({ 'extra/a.ko': made('a') }) },
    );

    expect(statusOf(builtin.modules[0], 'precedence')).toBe('fail');
    expect(hidden.modules.map((module) => statusOf(module, 'precedence'))).toEqual(['fail', 'pass']);
  });
});

describe('verifyTree() on replaced modules', () => {
  const replace = (more: MadeModule): Files => ({ 'extra/bus/bus.ko': made('bus', more) });
  const read = (paths: readonly string[]) =>
    Promise.resolve(new Map(paths.map((path) => [path, BASE[path] ?? Buffer.alloc(0)])));

  it('needs no file of the base when the replacement exports the same', async () => {
    const { modules, overrides } = await verifyAdded(replace({ exports: [OPEN, GPL] }), {
      readBaseModules: () => Promise.reject(new Error('not needed')),
    });

    expect(overrides).toEqual([
      {
        name: 'bus',
        winner: 'extra/bus/bus.ko',
        loser: BUS,
        dependants: [
          { path: OTHER_USER, status: 'ok', symbols: [] },
          { path: USER, status: 'ok', symbols: [] },
        ],
      },
    ]);
    expect(statusOf(modules[0], 'dependants')).toBe('pass');
  });

  it.each([
    { what: 'another CRC', exports: [OPEN, { ...GPL, crc: 0x99 }], broken: [OTHER_USER] },
    { what: 'a symbol less', exports: [OPEN], broken: [OTHER_USER] },
    { what: 'no symbol', exports: [], broken: [OTHER_USER, USER] },
    { what: 'a namespace', exports: [{ ...OPEN, namespace: 'NEW' }, GPL], broken: [OTHER_USER, USER] },
  ])('names the dependants that $what breaks', async ({ exports, broken }) => {
    const added = replace({ exports });

    const { modules, overrides } = await verifyAdded(added, { readBaseModules: read });

    const dependants = overrides[0]?.dependants ?? [];
    expect(dependants.filter(({ status }) => status === 'broken').map(({ path }) => path)).toEqual(broken);
    expect(statusOf(modules[0], 'dependants')).toBe('fail');
  });

  it('says that it does not know when nobody reads the base', async () => {
    const { modules, overrides } = await verifyAdded(replace({ exports: [OPEN] }));

    expect(overrides[0]?.dependants.map(({ status }) => status)).toEqual(['unknown', 'unknown']);
    expect(statusOf(modules[0], 'dependants')).toBe('skip');
  });

  it('leaves out dependants that are replaced themselves', async () => {
    const { overrides } = await verifyAdded(
      {
        ...replace({ exports: [OPEN] }),
        'extra/bus/other.ko': made('other', { imports: [OPEN], modinfo: ['depends=bus'] }),
      },
      { readBaseModules: read },
    );

    const bus = overrides.find(({ name }) => name === 'bus');
    expect(bus?.dependants).toEqual([{ path: USER, status: 'ok', symbols: [] }]);
  });
});
