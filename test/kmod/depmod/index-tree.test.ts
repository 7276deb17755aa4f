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
    order: base.get('modules.order'),
    builtin: base.get('modules.builtin'),
    builtinModinfo: base.get('modules.builtin.modinfo'),
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

  it('refuses modules that need each other', () => {
    const modules = [{ path: 'extra/a.ko', module: makeModule({ imports: ['s'], exports: ['s'] }) }];

    expect(() => indexTree(request({ modules }))).toThrow(
      expect.objectContaining({ code: 'DEPENDENCY_CYCLE' }),
    );
  });

  it('writes empty files for what a kernel’s build did not leave', () => {
    const { files } = indexTree(request({ builtin: undefined, builtinModinfo: undefined }));

    expect(files.get('modules.builtin.bin')).toHaveLength(0);
    expect(files.get('modules.builtin.alias.bin')).toHaveLength(0);
  });
});
