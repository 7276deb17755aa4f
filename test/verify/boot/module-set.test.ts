import { describe, expect, it } from 'vitest';
import { type ModuleIndexes, selectModules } from '../../../src/verify/boot/module-set.ts';

function tree(
  files: Readonly<Record<string, string>>,
  configurations: readonly string[] = [],
): ModuleIndexes {
  const indexes = new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
  return { indexes, configurations };
}

const DEP = [
  'kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz',
  'kernel/b.ko.xz: kernel/c.ko.xz',
  'kernel/c.ko.xz:',
  'extra/with-dash.ko:',
  '',
].join('\n');

describe('selectModules()', () => {
  it('finds a module and all that it depends on', () => {
    expect(selectModules(tree({ 'modules.dep': DEP }), ['b'])).toEqual(['kernel/b.ko.xz', 'kernel/c.ko.xz']);
  });

  it('finds soft dependencies, in the indexes and in modprobe.d, by name and by alias', () => {
    const paths = selectModules(
      tree({ 'modules.dep': DEP, 'modules.softdep': '# x\nsoftdep c pre: with-dash\n' }, [
        'options c x=1\nsoftdep with_dash post: an-alias not-there\n',
      ]),
      ['c'],
    );

    expect(paths).toEqual(['extra/with-dash.ko', 'kernel/c.ko.xz']);
    expect(
      selectModules(
        tree({ 'modules.dep': DEP, 'modules.alias': '# x\nalias an-alias b\nalias another-an-alias a\n' }, [
          'softdep with_dash post: an-alias',
        ]),
        ['with_dash'],
      ),
    ).toEqual(['extra/with-dash.ko', 'kernel/b.ko.xz', 'kernel/c.ko.xz']);
  });

  it('passes over names that are not there', () => {
    expect(selectModules(tree({ 'modules.dep': DEP }), ['none', 'c'])).toEqual(['kernel/c.ko.xz']);
    expect(selectModules(tree({}), ['c'])).toEqual([]);
  });

  it('ends where soft dependencies go in circles', () => {
    const softdep = 'softdep a pre: b\nsoftdep b pre: a\n';

    expect(selectModules(tree({ 'modules.dep': DEP, 'modules.softdep': softdep }), ['a'])).toHaveLength(3);
  });

  it('refuses a modules.dep that no depmod wrote', () => {
    expect(() => selectModules(tree({ 'modules.dep': 'x' }), ['a'])).toThrow(
      expect.objectContaining({ code: 'INDEX_INVALID' }) as Error,
    );
  });
});
