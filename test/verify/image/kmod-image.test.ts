import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import {
  file,
  fixtureModule,
  KERNEL,
  layered,
  openQuickstart,
  type RawEntry,
} from '../../support/layered-image.ts';
import { brief, lint } from './support.ts';

const DIRECTORY = `opt/lib/modules/${KERNEL}`;

const FIXTURES = join(import.meta.dirname, '../../../fixtures/kmod-image');

/** What a Containerfile for KMM gives: modules and the output of the real depmod. */
function kmodImage(tree: 'own' | 'linked', modules: readonly string[]): readonly RawEntry[] {
  return [
    ...modules.map((name) => file(`${DIRECTORY}/${name}`, fixtureModule(name))),
    ...readdirSync(join(FIXTURES, tree)).map((name) =>
      file(`${DIRECTORY}/${name}`, readFileSync(join(FIXTURES, tree, name))),
    ),
  ];
}

const good = kmodImage('own', ['kl_provider.ko', 'kl_consumer.ko']);
let empty: OpenedImage;

beforeAll(async () => {
  const base = await openQuickstart();
  empty = {
    ...base,
    manifest: { ...base.manifest, layers: [] },
    config: { ...base.config, labels: {}, diffIds: [], history: [] },
  };
});

async function lintKmod(entries: readonly RawEntry[]): Promise<readonly string[]> {
  return brief(await lint(await layered(empty, [entries])));
}

describe('rules on kmod images', () => {
  it('finds nothing in one that depmod was run for', async () => {
    expect(await lintKmod(good)).toEqual([]);
  });

  it('finds no modules', async () => {
    expect(await lintKmod([file('opt/kl_provider.ko')])).toEqual(['error kmod-image-empty']);
  });

  it.each([
    ['modules without indexes', /\.ko$/, [`error kmod-image-not-indexed ${DIRECTORY}/kl_provider.ko`]],
    [
      'an index without its module',
      /modules\.|kl_consumer/,
      [`error index-without-file ${DIRECTORY}/modules.dep.bin`],
    ],
  ])('finds %s', async (_, kept, expected) => {
    expect(await lintKmod(good.filter(({ name }) => kept.test(name)))).toEqual(expected);
  });

  it('finds a module that came after depmod', async () => {
    expect(await lintKmod([...good, file(`${DIRECTORY}/late.ko`, fixtureModule('kl_provider.ko'))])).toEqual([
      `error module-not-indexed ${DIRECTORY}/late.ko`,
    ]);
  });

  it('finds a text index that was changed by hand', async () => {
    const entries = good.map((entry) =>
      entry.name.endsWith('/modules.alias')
        ? {
            ...entry,
            content: Buffer.concat([Buffer.from(entry.content ?? ''), Buffer.from('alias a kl_provider\n')]),
          }
        : entry,
    );

    expect(await lintKmod(entries)).toEqual([`error bin-differs ${DIRECTORY}/modules.alias.bin`]);
  });

  it('reads dependencies of modules that the host has by the link to them', async () => {
    const files = kmodImage('linked', ['kl_consumer.ko']);
    const link: RawEntry = { name: `${DIRECTORY}/host`, type: 'symlink', linkname: `/lib/modules/${KERNEL}` };

    expect(await lintKmod([...files, link])).toEqual([]);
    expect(await lintKmod(files)).toEqual([`error index-without-file ${DIRECTORY}/modules.dep.bin`]);
  });

  it('takes an image that has a kernel for an OS image that has lost its labels', async () => {
    expect(await lintKmod([...good, file(`usr/lib/modules/${KERNEL}/vmlinuz`)])).toEqual([
      'error base-unknown',
      'error final-diffid-missing',
      'error bootable-label-missing',
    ]);
  });
});
