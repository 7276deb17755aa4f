import { beforeAll, describe, expect, it } from 'vitest';
import { readModule } from '../../../src/kmod/read-module.ts';
import { readBaseModules } from '../../../src/layer/base.ts';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import {
  file,
  fixtureModule,
  indexesWith,
  KERNEL,
  layered,
  layerWith,
  MODULES,
  openQuickstart,
  type RawEntry,
} from '../../support/layered-image.ts';
import { makeTestIo } from '../../support/io.ts';
import { makeModule } from '../../kmod/depmod/make-module.ts';
import { brief, lint, lintLayers } from './support.ts';

const PROVIDER = fixtureModule('kl_provider.ko');
const CONSUMER = fixtureModule('kl_consumer.ko');
const FILES = { 'extra/hello/kl_provider.ko': PROVIDER, 'extra/hello/kl_consumer.ko': CONSUMER };
const CONSUMER_PATH = `${MODULES}/extra/hello/kl_consumer.ko`;
const PROVIDER_PATH = `${MODULES}/extra/hello/kl_provider.ko`;

let base: OpenedImage;
let good: readonly RawEntry[];

beforeAll(async () => {
  base = await openQuickstart();
  good = await layerWith(base, FILES);
});

/** The good layer with some of its files changed, or left out. */
function changed(change: (name: string, content: Buffer) => Buffer | string | undefined): RawEntry[] {
  return good.flatMap((entry) => {
    const content = change(entry.name, Buffer.from(entry.content ?? ''));
    return content === undefined ? [] : [{ ...entry, content }];
  });
}

function edited(index: string, edit: (text: string) => string): RawEntry[] {
  return changed((name, content) =>
    name === `${MODULES}/${index}` ? Buffer.from(edit(content.toString('latin1')), 'latin1') : content,
  );
}

describe('rules on indexes', () => {
  it('misses modules that no index names', async () => {
    const findings = await lintLayers(
      base,
      changed((name, content) => (name.endsWith('.ko') ? content : undefined)),
    );

    expect(findings).toMatchObject([
      {
        rule: 'module-not-indexed',
        severity: 'error',
        path: PROVIDER_PATH,
        message:
          'no index names 2 modules (kl_provider and kl_consumer): modprobe says "Module not found", and nothing loads them',
      },
    ]);
  });

  it.each(['modules.dep', 'modules.alias', 'modules.symbols'])(
    'finds that %s was changed and its binary form was not',
    async (name) => {
      const findings = await lintLayers(
        base,
        changed((path, content) => (path === `${MODULES}/${name}.bin` ? undefined : content)),
      );

      expect(findings).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ rule: 'bin-differs', severity: 'error', path: `${MODULES}/${name}.bin` }),
        ]),
      );
      // Without modules.dep.bin, modprobe does not know the modules.
      expect(findings.map(({ rule }) => rule)).toEqual(
        name === 'modules.dep' ? ['bin-differs', 'module-not-indexed'] : ['bin-differs'],
      );
    },
  );

  it('names what the two forms do not agree on', async () => {
    const [finding] = await lintLayers(
      base,
      edited('modules.alias', (text) => `${text}alias pci:v00001234d*sv*sd*bc*sc*i* kl_consumer\n`),
    );

    expect(finding).toMatchObject({
      rule: 'bin-differs',
      message: expect.stringContaining(
        'about pci:v00001234d*sv*sd*bc*sc*i*: modprobe reads the binary',
      ) as unknown,
    });
  });

  it.each([
    ['modules.dep.bin', 'by name'],
    ['modules.alias.bin', 'by alias'],
  ])('says that %s cannot be read', async (name, how) => {
    const findings = await lintLayers(
      base,
      edited(name, (text) => text.slice(0, 100)),
    );

    expect(findings).toMatchObject([
      {
        rule: 'index-unreadable',
        severity: 'error',
        path: `${MODULES}/${name}`,
        message: expect.stringContaining(`modprobe finds nothing ${how}`) as unknown,
      },
    ]);
  });

  it('finds entries without a file', async () => {
    const findings = await lintLayers(
      base,
      changed((name, content) => (name === PROVIDER_PATH ? undefined : content)),
    );

    expect(brief(findings)).toEqual([`error index-without-file ${PROVIDER_PATH}`]);
  });

  it('finds entries of a module that another layer removes', async () => {
    const findings = await lintLayers(base, good, [file(`${MODULES}/extra/hello/.wh.kl_provider.ko`, '')]);

    expect(brief(findings)).toEqual([`error index-without-file ${PROVIDER_PATH}`]);
  });

  describe('where the base had modules that are gone', () => {
    const DUMMY = 'kernel/drivers/net/dummy.ko.xz';
    const gone = file(`${MODULES}/kernel/drivers/net/.wh.dummy.ko.xz`, '');
    let instead: readonly RawEntry[];

    beforeAll(async () => {
      const found = await readBaseModules(base, { kernel: KERNEL, paths: [DUMMY] }, makeTestIo());
      instead = await layerWith(base, { 'updates/dummy.ko.xz': found.get(DUMMY)! });
    });

    it('compares as ever when another file takes the place of each', async () => {
      const isAlias = ({ name }: RawEntry): boolean => name.includes('/modules.alias');

      expect(brief(await lintLayers(base, [gone, ...instead]))).toEqual([
        `note initramfs ${MODULES}/updates/dummy.ko.xz`,
      ]);
      expect(await lintLayers(base, [gone, ...instead.filter((entry) => !isAlias(entry))])).toMatchObject([
        { rule: 'index-not-depmod', severity: 'warning', path: `${MODULES}/modules.alias` },
        { rule: 'initramfs' },
      ]);
    });

    it('says that it did not compare when one is only removed', async () => {
      const before = await layered(base, [good]);
      const provider = { path: 'extra/hello/kl_provider.ko', module: readModule(PROVIDER) };
      const image = await layered(before, [
        [file(`${MODULES}/extra/hello/.wh.kl_consumer.ko`, ''), ...(await indexesWith(base, [provider]))],
      ]);

      expect(await lint(image, { base: before })).toMatchObject([
        { rule: 'removes-module', severity: 'warning' },
        {
          rule: 'index-unchecked',
          severity: 'note',
          message: expect.stringContaining(
            '1 module of the base (extra/hello/kl_consumer.ko) that the layers remove',
          ) as unknown,
        },
      ]);
    });
  });

  it('says that it did not compare with modules that are links', async () => {
    const path = 'weak-updates/kl_provider.ko';
    const indexes = await indexesWith(base, [{ path, module: readModule(PROVIDER) }]);
    const link: RawEntry = {
      name: `${MODULES}/${path}`,
      type: 'symlink',
      linkname: '../../other/extra/kl_provider.ko',
    };

    expect(await lintLayers(base, [link, ...indexes])).toMatchObject([
      { rule: 'index-unchecked', message: expect.stringContaining(path) as unknown },
    ]);
  });

  it('tells indexes that lack a dependency from those in another order', async () => {
    const softdep = await lintLayers(
      base,
      edited('modules.softdep', (text) => text.replace(/softdep kl_consumer.*\n/, '')),
    );
    const alone = makeModule({ aliases: ['kl-consumer'] });
    const indexes = await indexesWith(base, [
      { path: 'extra/hello/kl_provider.ko', module: readModule(PROVIDER) },
      { path: 'extra/hello/kl_consumer.ko', module: alone },
    ]);
    const lacking = await lintLayers(base, [...indexes, ...good.filter(({ name }) => name.endsWith('.ko'))]);

    expect(softdep).toMatchObject([
      { rule: 'index-not-depmod', severity: 'warning', path: `${MODULES}/modules.softdep` },
    ]);
    expect(lacking).toMatchObject([
      {
        rule: 'index-not-depmod',
        severity: 'error',
        path: `${MODULES}/modules.dep`,
        message: expect.stringContaining(
          'modprobe would load kl_consumer without extra/hello/kl_provider.ko, and the kernel would not find symbols',
        ) as unknown,
      },
    ]);
  });

  it('says which of two files of one name is loaded', async () => {
    const findings = await lintLayers(base, good, [file(`${MODULES}/updates/kl_provider.ko`, PROVIDER)]);

    expect(brief(findings)).toEqual([`warning module-shadowed ${MODULES}/updates/kl_provider.ko`]);
  });

  it('leaves the indexes of a base alone that no layer touches', async () => {
    expect(await lintLayers(base, [file('usr/share/doc/readme')])).toEqual([]);
  });

  it('looks at the image as a whole, whichever layer a file is in', async () => {
    const modules = good.filter(({ name }) => name.endsWith('.ko'));
    const others = good.filter(({ name }) => !name.endsWith('.ko'));

    expect(await lintLayers(base, modules, others)).toEqual([]);
  });
});

describe('rules on modules', () => {
  it('reports what is no module', async () => {
    const findings = await lintLayers(
      base,
      changed((name, content) => (name === CONSUMER_PATH ? content.subarray(0, 500) : content)),
    );

    expect(brief(findings)).toEqual([`error module-unreadable ${CONSUMER_PATH}`]);
  });

  it.each([
    { path: 'extra/kl_provider.ko.xz', bytes: PROVIDER, message: 'the file is not packed, its name says xz' },
    {
      path: 'extra/kl_provider.ko',
      bytes: fixtureModule('kl_provider.ko.xz'),
      message: 'the file is packed with xz, its name says otherwise',
    },
    {
      path: 'extra/kl_provider.ko.gz',
      bytes: fixtureModule('kl_provider.ko.gz'),
      message: 'the module is packed with gz, those of the base are not',
    },
    {
      path: 'extra/kl_provider.ko.xz',
      bytes: fixtureModule('kl_provider.crc64.ko.xz'),
      message: 'the module is packed with a check that the kernel does not know',
    },
  ])('$path: $message', async ({ path, bytes, message }) => {
    const findings = await lintLayers(base, await layerWith(base, { [path]: bytes }));

    expect(findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          rule: 'module-compression',
          severity: 'warning',
          message: expect.stringContaining(message) as unknown,
        }),
      ]),
    );
  });

  it('takes a module that is packed as the base packs its own', async () => {
    const entries = await layerWith(base, { 'extra/kl_provider.ko.xz': fixtureModule('kl_provider.ko.xz') });

    expect(await lintLayers(base, entries)).toEqual([]);
  });

  it('says that a built-in module is never looked at', async () => {
    const findings = await lintLayers(base, [file(`${MODULES}/extra/unix.ko`, PROVIDER)]);

    expect(brief(findings)).toContain(`error module-built-in ${MODULES}/extra/unix.ko`);
  });

  it('finds firmware where the kernel does not look for it', async () => {
    const lost = await lintLayers(base, [
      ...good,
      file('usr/share/hello/two.bin'),
      file('usr/lib/firmware/kl/one.bin'),
    ]);
    const found = await lintLayers(base, [
      ...good,
      file('usr/share/hello/two.bin'),
      file(`usr/lib/firmware/updates/${KERNEL}/kl/two.bin.xz`),
    ]);

    expect(lost).toMatchObject([
      {
        rule: 'firmware-path',
        path: 'usr/share/hello/two.bin',
        hint: 'Put it at usr/lib/firmware/kl/two.bin.',
      },
    ]);
    expect(found).toEqual([]);
  });

  it('notes that the initramfs keeps the module that is replaced', async () => {
    const findings = await lintLayers(base, [file(`${MODULES}/kernel/drivers/net/dummy.ko.xz`, PROVIDER)]);

    expect(brief(findings)).toContain(`note initramfs ${MODULES}/kernel/drivers/net/dummy.ko.xz`);
  });
});

describe('rules on what loads modules', () => {
  it.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'names that are there',
      { 'usr/lib/modules-load.d/a.conf': '# ours\nkl-provider\n; or\ndummy\nunix\n' },
      [],
    ],
    ['an alias', { 'usr/lib/modules-load.d/a.conf': 'kl-consumer\nrtnl-link-dummy\n' }, []],
    [
      'a name that is not there',
      { 'usr/lib/modules-load.d/a.conf': 'kl_provder\n' },
      ['error loads-unknown-module usr/lib/modules-load.d/a.conf'],
    ],
    [
      'an option of a module that is not there',
      {
        'usr/lib/modprobe.d/a.conf':
          'options kl_provder debug=1\nsoftdep kl_provider pre: nowhere post: dummy\n',
      },
      [
        'warning configures-unknown-module usr/lib/modprobe.d/a.conf',
        'warning configures-unknown-module usr/lib/modprobe.d/a.conf',
      ],
    ],
    [
      'a blacklist of what is loaded at boot',
      {
        'usr/lib/modules-load.d/a.conf': 'kl_provider\n',
        'usr/lib/modprobe.d/a.conf': 'blacklist kl-provider\n',
      },
      ['error blacklists-autoloaded usr/lib/modprobe.d/a.conf'],
    ],
    [
      'a blacklist of what a layer adds for its hardware',
      { 'usr/lib/modprobe.d/a.conf': 'blacklist kl_consumer' },
      ['warning blacklists-autoloaded usr/lib/modprobe.d/a.conf'],
    ],
    ['a blacklist of what is not there', { 'usr/lib/modprobe.d/a.conf': 'blacklist nouveau\n' }, []],
  ])('%s', async (_, files, expected) => {
    const entries = Object.entries(files).map(([name, content]) => file(name, content));

    expect(brief(await lintLayers(base, [...good, ...entries]))).toEqual(expected);
  });

  it('says nothing of names when the image has no indexes', async () => {
    const image = await layered(base, [
      [file(`usr/lib/modules/.wh.${KERNEL}`, ''), file('usr/lib/modules-load.d/a.conf', 'nowhere\n')],
    ]);

    expect((await lint(image)).filter(({ rule }) => rule === 'loads-unknown-module')).toEqual([]);
  });
});
