import { describe, expect, it } from 'vitest';
import { inputHashOf } from '../../src/plan/input-hash.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { plan, type PlannedSet, requireSomewhereToGo } from '../../src/plan/plan.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { makeInputs, makeTarget, tableOfReleases } from './targets.ts';

const SET = parseSpec(
  `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: net }
targets: { releases: [4.18.4] }
drivers:
  - { name: one, version: "1", source: { files: [one.ko] }, modules: [{ name: one }] }
  - { name: two, version: "1", source: { files: [two.ko] }, modules: [{ name: two }] }
publish: { osImage: quay.example.com/acme/net }
`,
  'kmodlayer.yaml',
);
const KMOD_SET: PlannedSet = {
  ...SET,
  targets: { kernels: ['default', 'rt', '64k'] },
  publish: { ...SET.publish, kmodImage: parseReference('quay.example.com/acme/kmods') },
};
const INPUTS = makeInputs(SET);
const K1 = '5.14.0-427.1.el9_4.x86_64';
const K2 = '5.14.0-427.2.el9_4.x86_64';

describe('plan()', () => {
  it('compiles each driver once for each kernel, whatever the number of releases', () => {
    const targets = [makeTarget('4.18.4', K1), makeTarget('4.18.5', K1), makeTarget('4.18.6', K2)];

    const { images, compiles, kmodImages } = plan(SET, targets, INPUTS);

    expect(images.map(({ id }) => id)).toEqual([
      '4.18.4 x86_64 rhel-9',
      '4.18.5 x86_64 rhel-9',
      '4.18.6 x86_64 rhel-9',
    ]);
    expect(compiles.map(({ id }) => id)).toEqual([
      `one for ${K1}`,
      `two for ${K1}`,
      `one for ${K2}`,
      `two for ${K2}`,
    ]);
    expect(images[1]?.compiles[0]).toBe(images[0]?.compiles[0]);
    expect(images[1]?.compiles[0]?.target).toBe(targets[0]);
    expect(kmodImages).toEqual([]);
  });

  it('says which units come first, for the same kernel', () => {
    const drivers = SET.drivers.map((driver) => ({
      ...driver,
      dependsOn: driver.name === 'one' ? ['two'] : [],
    }));

    const { compiles } = plan(
      { ...SET, drivers },
      [makeTarget('4.18.4', K1), makeTarget('4.18.6', K2)],
      INPUTS,
    );

    expect(compiles.map(({ id, needs }) => [id, needs.map((unit) => unit.id)])).toEqual([
      [`one for ${K1}`, [`two for ${K1}`]],
      [`two for ${K1}`, []],
      [`one for ${K2}`, [`two for ${K2}`]],
      [`two for ${K2}`, []],
    ]);
    expect(compiles[0]?.needs[0]).toBe(compiles[1]);
    expect(compiles[0]?.inputHash).not.toBe(
      plan(SET, [makeTarget('4.18.4', K1)], INPUTS).compiles[0]?.inputHash,
    );
  });

  it('makes kernels that come from the extensions units of their own, with kmod images and without layers', () => {
    const targets = [
      makeTarget('4.18.4', K1, { flavours: ['rt'] }),
      makeTarget('4.18.5', K1, { flavours: ['rt'] }),
      makeTarget('4.18.4', '5.14.0-427.1.el9_4.aarch64', { arch: 'aarch64', flavours: ['rt', '64k'] }),
    ];

    const { images, compiles, kmodImages, blocked } = plan(KMOD_SET, targets, INPUTS);

    expect(images.map(({ id, compiles: all }) => [id, all.map(({ flavour }) => flavour)])).toEqual([
      ['4.18.4 x86_64 rhel-9', ['default', 'default']],
      ['4.18.5 x86_64 rhel-9', ['default', 'default']],
      ['4.18.4 aarch64 rhel-9', ['default', 'default']],
    ]);
    expect(kmodImages.map(({ id, flavour, arch, targets: all }) => [id, flavour, arch, all.length])).toEqual([
      [`kmod image for ${K1}`, 'default', 'x86_64', 2],
      [`kmod image for ${K1}+rt`, 'rt', 'x86_64', 2],
      ['kmod image for 5.14.0-427.1.el9_4.aarch64', 'default', 'aarch64', 1],
      ['kmod image for 5.14.0-427.1.el9_4.aarch64+rt', 'rt', 'aarch64', 1],
      ['kmod image for 5.14.0-427.1.el9_4.aarch64+64k', '64k', 'aarch64', 1],
    ]);
    expect(compiles).toHaveLength(10);
    expect(blocked).toEqual([]);
  });

  it('says which kernels a release does not offer, and plans the others', () => {
    const targets = [makeTarget('4.12.80', K1), makeTarget('4.18.5', K2, { flavours: ['rt'] })];

    const { kmodImages, blocked } = plan(KMOD_SET, targets, INPUTS);

    expect(kmodImages.map(({ kernel }) => kernel)).toEqual([K1, K2, `${K2}+rt`]);
    expect(blocked.map(({ id, error }) => [id, error.code])).toEqual([
      ['4.12.80 x86_64 rhel-9 rt', 'FLAVOUR_UNSUPPORTED'],
    ]);
  });

  it('leaves drivers of Day 1 out of the layered image, and the image out when no driver is left', () => {
    const targets = [makeTarget('4.18.4', K1)];
    const pools = ['worker'];

    const some = plan({ ...KMOD_SET, rollout: { pools, day1: ['one'] } }, targets, INPUTS);
    const none = plan({ ...KMOD_SET, rollout: { pools, day1: ['one', 'two'] } }, targets, INPUTS);

    expect(some.images[0]?.compiles.map(({ driver }) => driver.name)).toEqual(['two']);
    expect(some.kmodImages[0]?.compiles.map(({ driver }) => driver.name)).toEqual(['one', 'two']);
    expect(none.images).toEqual([]);
  });

  it('compiles for the kernels of a published table, not for its releases', async () => {
    const targets = await tableOfReleases();

    const { images, compiles } = plan({ ...SET, drivers: SET.drivers.slice(0, 1) }, targets, INPUTS);

    expect(targets).toHaveLength(82);
    expect(images).toHaveLength(82);
    expect(compiles).toHaveLength(34);
  });
});

describe('requireSomewhereToGo()', () => {
  it('refuses kernels that nodes get from elsewhere than the OS image', () => {
    expect(() => {
      requireSomewhereToGo({ ...SET, targets: { kernels: ['default', '64k'] } });
    }).toThrow('the 64k kernel comes from the extensions');
  });

  it('takes them when there are kmod images', () => {
    expect(() => {
      requireSomewhereToGo(KMOD_SET);
    }).not.toThrow();
  });
});

describe('inputHashOf()', () => {
  it('does not depend on the order of keys', () => {
    expect(inputHashOf({ a: 1, b: { c: [1, 2], d: 'x' } })).toBe(
      inputHashOf({ b: { d: 'x', c: [1, 2] }, a: 1 }),
    );
  });

  it('depends on values and on the order of lists', () => {
    expect(inputHashOf({ a: [1, 2] })).not.toBe(inputHashOf({ a: [2, 1] }));
  });
});
