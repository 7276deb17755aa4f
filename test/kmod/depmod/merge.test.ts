import { describe, expect, it } from 'vitest';
import { RHEL_DEPMOD_CONFIG } from '../../../src/kmod/depmod/config.ts';
import { indexTree, RHEL_INDEX_FORMAT } from '../../../src/kmod/depmod/index-tree.ts';
import { mergeIndexes, type MergeRequest, type MergeResult } from '../../../src/kmod/depmod/merge.ts';
import type { AddedModule } from '../../../src/kmod/depmod/select-modules.ts';
import { baseIndexes, changedIndexes, KERNEL_RELEASE, modulesBelow } from './fixtures.ts';
import { makeModule, type ModuleShape } from './make-module.ts';

function merge(added: readonly AddedModule[], more: Partial<MergeRequest> = {}): MergeResult {
  return mergeIndexes({
    base: baseIndexes('kmod-30'),
    added,
    config: RHEL_DEPMOD_CONFIG,
    kernelRelease: KERNEL_RELEASE,
    ...more,
  });
}

function merged(
  added: readonly AddedModule[],
  more?: Partial<MergeRequest>,
): MergeResult & { kind: 'merged' } {
  const result = merge(added, more);
  if (result.kind !== 'merged') throw new Error(`needs ${result.paths.join(' ')}`);
  return result;
}

function module(path: string, shape?: ModuleShape): AddedModule {
  return { path, module: makeModule(shape) };
}

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}

describe.each(['kmod-30', 'kmod-34'] as const)('mergeIndexes() against files of %s', (version) => {
  it.each([
    ['add', 'extra'],
    ['override', 'updates'],
  ] as const)('gives the files that depmod wrote: %s', (scenario, directory) => {
    const base = baseIndexes(version);

    const { files } = merged(modulesBelow(directory), { base });

    const expected = changedIndexes(version, scenario);
    expect([...files.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, bytes] of expected) expect(Buffer.compare(files.get(name)!, bytes), name).toBe(0);
  });
});

describe('mergeIndexes()', () => {
  it('does not depend on the order of what is added', () => {
    const added = modulesBelow('extra');

    const [forwards, backwards] = [merged(added), merged(added.toReversed())];

    expect(backwards).toEqual(forwards);
  });

  it('changes nothing when nothing is added', () => {
    expect(merged([]).files.size).toBe(0);
  });

  it('tells which modules of the base are overridden, and which additions lose', () => {
    const tun = modulesBelow('updates').filter(({ path }) => path === 'updates/tun.ko');
    const also = tun.map((added) => ({ ...added, path: 'extra/tun.ko' }));
    const added = [...tun, ...also, module('weak-updates/loop.ko')];

    const { overridden, shadowed } = merged(added);

    expect(overridden).toEqual([
      { name: 'tun', winner: 'updates/tun.ko', loser: 'kernel/drivers/net/tun.ko' },
    ]);
    expect(shadowed).toEqual([
      { name: 'tun', winner: 'updates/tun.ko', loser: 'extra/tun.ko' },
      { name: 'loop', winner: 'kernel/drivers/block/loop.ko', loser: 'weak-updates/loop.ko' },
    ]);
  });

  it('leaves out what depmod.d excludes', () => {
    const config = { ...RHEL_DEPMOD_CONFIG, excludes: ['old'] };

    const { files, excluded } = merged([module('extra/old/x.ko')], { config });

    expect(files.size).toBe(0);
    expect(excluded).toEqual(['extra/old/x.ko']);
  });

  it('writes weak dependencies only where the base has a file for them', () => {
    const base = baseIndexes('kmod-34');
    const added = [module('extra/a.ko', { weakdeps: ['crc32c'] })];

    const files = merged(added, { base }).files;

    expect(Buffer.from(files.get('modules.weakdep')!).toString()).toMatch(/^# .*\nweakdep a crc32c\n$/);
    expect(merged(added).files.has('modules.weakdep')).toBe(false);
  });

  it('refuses two files of one priority, between which the file system would decide', () => {
    const two = [module('extra/a/x.ko'), module('extra/b/x.ko')];
    const compressed = [module('kernel/drivers/net/tun.ko.xz')];

    expect(() => merge(two)).toThrow(withCode('DUPLICATE_MODULE'));
    expect(() => merge(compressed)).toThrow(withCode('DUPLICATE_MODULE'));
    expect(() => merge([...two.slice(1), ...two.slice(1)])).toThrow(withCode('DUPLICATE_MODULE'));
  });

  it('refuses a symbol that another module, or the kernel, exports', () => {
    const symvers = new Map([['printk', { owner: 'vmlinux' }]]);

    expect(() => merge([module('extra/a.ko', { exports: ['crc16'] })])).toThrow(withCode('DUPLICATE_EXPORT'));
    expect(() => merge([module('extra/a.ko', { exports: ['printk'] })], { symvers })).toThrow(
      withCode('DUPLICATE_EXPORT'),
    );
    expect(() =>
      merge([module('extra/a.ko', { exports: ['s'] }), module('extra/b.ko', { exports: ['s'] })]),
    ).toThrow(withCode('DUPLICATE_EXPORT'));
  });

  it('names the modules that need each other', () => {
    const added = [
      module('extra/a.ko', { imports: ['b_s'], exports: ['a_s'] }),
      module('extra/b.ko', { imports: ['a_s'], exports: ['b_s'] }),
    ];

    const message: unknown = expect.stringMatching(/ (a -> b -> a|b -> a -> b)$/);
    expect(() => merge(added)).toThrow(expect.objectContaining({ code: 'DEPENDENCY_CYCLE', message }));
  });

  it.each(['../x.ko', '/x.ko', 'extra//x.ko', 'extra/x', 'extra/.ko', 'extra/x y.ko', 'extra/ä.ko', 'x:.ko'])(
    'refuses the path %j',
    (path) => {
      expect(() => merge([module(path)])).toThrow(withCode('NAME_MISMATCH'));
    },
  );

  it.each(['of:N*\nT*', 'pci:ü', 'x\u0000y'])('refuses the alias %j, which no index can hold', (alias) => {
    expect(() => merge([module('extra/x.ko', { aliases: [alias] })])).toThrow(withCode('MODINFO_INVALID'));
  });
});

describe('mergeIndexes(), when the indexes of the base do not say enough', () => {
  const withoutExports = module('updates/libcrc32c.ko');
  const users = baseIndexes('kmod-30')
    .get('modules.dep')!
    .toString()
    .split('\n')
    .filter((line) => / kernel\/lib\/libcrc32c\.ko/.test(line))
    .map((line) => line.split(':')[0]);

  it('names the modules that need one whose replacement exports less', () => {
    const result = merge([withoutExports]);

    expect(result).toEqual({ kind: 'needs-modules', paths: users });
    expect(users.length).toBeGreaterThan(0);
  });

  it('gives what all modules together give, once they were read', () => {
    const kernel = modulesBelow('kernel');
    const base = baseIndexes('kmod-30');
    const baseModules = new Map(kernel.map(({ path, module: read }) => [path, read]));

    const { files } = merged([withoutExports], { baseModules });

    const expected = indexTree({
      modules: [...kernel, withoutExports],
      config: RHEL_DEPMOD_CONFIG,
      kernelRelease: KERNEL_RELEASE,
      format: RHEL_INDEX_FORMAT,
      files: base,
    }).files;
    expect(Buffer.from(files.get('modules.dep')!).toString()).toBe(
      Buffer.from(expected.get('modules.dep')!).toString(),
    );
  });

  it('asks for all modules when a symbol of the kernel’s build comes back that the base lacks', () => {
    const added = [module('extra/sctp.ko', { exports: ['sctp_for_each'] })];
    const symvers = new Map([['sctp_for_each', { owner: 'net/sctp/sctp' }]]);

    const result = merge(added, { symvers });
    const promised = merge(added, { symvers, isBaseClosed: true });

    expect(result).toEqual({
      kind: 'needs-modules',
      paths: modulesBelow('kernel')
        .map(({ path }) => path)
        .sort((left, right) => lineOf(left) - lineOf(right)),
    });
    expect(promised.kind).toBe('merged');
  });

  function lineOf(path: string): number {
    return baseIndexes('kmod-30').get('modules.dep')!.toString().indexOf(`${path}:`);
  }
});

describe('mergeIndexes() into a base that was indexed on a big-endian machine', () => {
  it('keeps the order of that machine', () => {
    const isLittleEndian = false;
    const shapes = 'qeth,dasd_mod,zfcp,ctcm,lcs,vmur,ism,smc,pkey,zcrypt'.split(',').map((name, at) => ({
      path: `kernel/drivers/s390/${name}.ko`,
      module: makeModule({
        exports: [`${name}_x`, `${name}_y`],
        isLittleEndian,
        softdeps: at === 0 ? ['pre: qdio'] : [],
      }),
    }));
    const files = new Map<string, Buffer>();
    const tree = { config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL_RELEASE, files };
    const format = { ...RHEL_INDEX_FORMAT, byteOrder: 'big' } as const;
    const added = [
      module('extra/new.ko', { imports: ['qeth_x'], exports: ['new_a', 'new_b'], isLittleEndian }),
    ];
    const base = indexTree({ ...tree, format, modules: shapes }).files;

    const changed = merged(added, { base }).files;

    const expected = indexTree({ ...tree, format, modules: [...shapes, ...added] }).files;
    for (const [name, bytes] of expected) {
      expect(Buffer.compare(changed.get(name) ?? base.get(name)!, bytes), name).toBe(0);
    }
  });
});

describe('mergeIndexes() into a base without CRCs', () => {
  const shapes = ['kernel/a.ko', 'kernel/b.ko'].map((path) => ({
    path,
    module: makeModule({ exports: [`${path.slice(7, 8)}_x`], namespaceNames: ['NS'], hasVersions: false }),
  }));
  const tree = { config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL_RELEASE, format: RHEL_INDEX_FORMAT };
  const files = new Map([['modules.order', Buffer.from('kernel/a.ko\nkernel/b.ko\n')]]);
  const base = new Map([...files, ...indexTree({ ...tree, files, modules: shapes }).files]);

  it('lists a namespace under the last module that has it', () => {
    const added = [module('extra/c.ko', { exports: ['c_x'], namespaceNames: ['NS'], hasVersions: false })];

    const changed = merged(added, { base }).files;

    const expected = indexTree({ ...tree, files, modules: [...shapes, ...added] }).files;
    for (const [name, bytes] of expected) {
      expect(Buffer.compare(changed.get(name) ?? base.get(name)!, bytes), name).toBe(0);
    }
    expect(Buffer.from(expected.get('modules.symbols')!).toString()).toContain('symbol:NS c\n');
  });

  it('refuses to guess who else has a symbol that a replacement lacks', () => {
    const added = [module('updates/b.ko', { hasVersions: false })];

    expect(() => merge(added, { base })).toThrow(withCode('INDEX_UNSUPPORTED'));
  });
});

describe('mergeIndexes() into a base without modules', () => {
  const tree = { config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL_RELEASE };
  const files = new Map([['modules.builtin', Buffer.from('kernel/fs/ext4/ext4.ko\n')]]);
  const format = { ...RHEL_INDEX_FORMAT, layout: 'pre-order' } as const;
  const added = [module('extra/c.ko', { exports: ['c_x'], aliases: ['pci:*'] })];

  it('takes the layout from the index of what is built in', () => {
    const base = new Map([...files, ...indexTree({ ...tree, format, files, modules: [] }).files]);

    const changed = merged(added, { base }).files;

    const expected = indexTree({ ...tree, format, files, modules: added }).files;
    expect(changed.get('modules.dep.bin')).toEqual(expected.get('modules.dep.bin'));
  });

  it('refuses when every index is empty', () => {
    const base = indexTree({ ...tree, format, files: new Map<string, Buffer>(), modules: [] }).files;

    expect(() => merge(added, { base })).toThrow(withCode('INDEX_UNSUPPORTED'));
  });
});
