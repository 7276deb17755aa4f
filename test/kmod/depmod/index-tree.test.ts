import { describe, expect, it } from 'vitest';
import { RHEL_DEPMOD_CONFIG } from '../../../src/kmod/depmod/config.ts';
import { indexTree, readIndexFormat, type TreeRequest } from '../../../src/kmod/depmod/index-tree.ts';
import { readIndex } from '../../../src/kmod/depmod/index-reader.ts';
import { baseIndexes, KERNEL_RELEASE, modulesBelow } from './fixtures.ts';
import { makeModule } from './make-module.ts';

function request(more: Partial<TreeRequest> = {}): TreeRequest {
  const base = baseIndexes('kmod-30');
  return {
    modules: modulesBelow('kernel'),
    config: RHEL_DEPMOD_CONFIG,
    kernelRelease: KERNEL_RELEASE,
    format: readIndexFormat(base),
    files: base,
    ...more,
  };
}

describe('indexTree()', () => {
  it.each(['kmod-30', 'kmod-34'] as const)('gives every file as %s wrote it', (version) => {
    const base = baseIndexes(version);

    const { files } = indexTree(request({ format: readIndexFormat(base) }));

    for (const [name, bytes] of files) expect(Buffer.compare(bytes, base.get(name)!), name).toBe(0);
    expect(files.size).toBe(version === 'kmod-30' ? 10 : 11);
  });

  it('takes the file that depmod.d prefers, and tells of the other', () => {
    const modules = [...modulesBelow('kernel'), ...modulesBelow('updates')];

    const { files, shadowed } = indexTree(request({ modules }));

    expect(Buffer.from(files.get('modules.dep')!).toString()).toContain('\nupdates/tun.ko:\n');
    expect(shadowed.map(({ loser }) => loser)).toContain('kernel/drivers/net/tun.ko');
  });

  it('takes the later module for a symbol that two export, as depmod does', () => {
    const modules = ['extra/a.ko', 'extra/b.ko'].map((path) => ({
      path,
      module: makeModule({ exports: ['s'] }),
    }));

    const { files } = indexTree(request({ modules }));

    const entries = readIndex(files.get('modules.symbols.bin')!);
    const order = Buffer.from(files.get('modules.dep')!).toString().split(':\n');
    expect(entries).toEqual([{ key: 'symbol:s', value: order[1]?.slice(6, 7), priority: 1 }]);
  });

  it('refuses two modules at one path', () => {
    const modules = [...['extra/a.ko', 'extra/a.ko'].map((path) => ({ path, module: makeModule() }))];

    expect(() => indexTree(request({ modules }))).toThrow(
      expect.objectContaining({ code: 'DUPLICATE_MODULE' }),
    );
  });

  it('refuses modules that need each other', () => {
    const modules = [{ path: 'extra/a.ko', module: makeModule({ imports: ['s'], exports: ['s'] }) }];

    expect(() => indexTree(request({ modules }))).toThrow(
      expect.objectContaining({ code: 'DEPENDENCY_CYCLE' }),
    );
  });

  it('writes empty files for what a kernel’s build did not leave', () => {
    const { files } = indexTree(request({ files: new Map<string, Buffer>() }));

    expect(files.get('modules.builtin.bin')).toHaveLength(0);
    expect(files.get('modules.builtin.alias.bin')).toHaveLength(0);
  });

  it('leaves the index of built-in aliases empty where kmod 28 wrote it', () => {
    const files = new Map([...baseIndexes('kmod-30'), ['modules.builtin.alias.bin', Buffer.alloc(0)]]);

    const indexes = indexTree(request({ files }));

    expect(indexes.files.get('modules.builtin.alias.bin')).toHaveLength(0);
    expect(indexes.files.get('modules.builtin.bin')).toEqual(files.get('modules.builtin.bin'));
  });

  it('lists the namespaces of modules without CRCs as depmod does, the last module winning', () => {
    const modules = ['a', 'b'].map((name) => ({
      path: `extra/${name}.ko`,
      module: makeModule({ exports: [`${name}_x`], namespaceNames: ['NS'] }),
    }));

    const { files } = indexTree(request({ modules }));

    const entries = readIndex(files.get('modules.symbols.bin')!);
    const last = Buffer.from(files.get('modules.dep')!).toString().split('\n')[1]?.slice(6, 7);
    expect(entries.find(({ key }) => key === 'symbol:NS')?.value).toBe(last);
  });

  it('takes modules outside of the kernel’s directory by their absolute paths', () => {
    const modules = [{ path: '/opt/acme/a.ko', module: makeModule({ aliases: ['x'] }) }];

    const { files } = indexTree(request({ modules }));

    expect(Buffer.from(files.get('modules.dep')!).toString()).toBe('/opt/acme/a.ko:\n');
  });

  it('tells of files that depmod.d excludes', () => {
    const modules = [{ path: 'build/a.ko', module: makeModule() }];

    expect(indexTree(request({ modules })).excluded).toEqual(['build/a.ko']);
  });
});

describe('readIndexFormat()', () => {
  it('takes the layout of whatever index holds something', () => {
    const base = new Map([['modules.builtin.bin', baseIndexes('kmod-34').get('modules.builtin.bin')!]]);

    expect(readIndexFormat(base).layout).toBe('pre-order');
  });

  it('is that of RHEL where there are no indexes', () => {
    const format = readIndexFormat(new Map([['modules.order', Buffer.alloc(0)]]), 'big');

    expect(format).toMatchObject({ layout: 'post-order', byteOrder: 'big' });
    expect(format.files).toContain('modules.softdep');
  });
});
