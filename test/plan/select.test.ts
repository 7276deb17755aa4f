import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOnly } from '../../cli/only.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { plan, type PlannedSet } from '../../src/plan/plan.ts';
import { select } from '../../src/plan/select.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { makeInputs, makeTarget } from './targets.ts';

const SPEC = parseSpec(
  `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: net }
targets: { releases: [4.18.4], kernels: [default, rt] }
drivers:
  - { name: one, version: "1", source: { files: [one.ko] }, modules: [{ name: one }] }
  - { name: two, version: "1", source: { files: [two.ko] }, modules: [{ name: two }] }
publish: { osImage: quay.example.com/acme/net }
`,
  'kmodlayer.yaml',
);
const SET: PlannedSet = {
  ...SPEC,
  publish: { ...SPEC.publish, kmodImage: parseReference('quay.example.com/acme/kmods') },
};
const INPUTS = makeInputs(SET);

/** Some releases on a few kernels, as they come from an update graph. */
const targets = fc.uniqueArray(
  fc.record({
    z: fc.nat(40),
    kernel: fc.nat(4),
    arch: fc.constantFrom('x86_64' as const, 'aarch64' as const),
    hasRt: fc.boolean(),
  }),
  { selector: ({ z, arch }) => `${z} ${arch}`, maxLength: 30 },
);

function targetsOf(list: typeof targets extends fc.Arbitrary<infer T> ? T : never) {
  return list.map(({ z, kernel, arch, hasRt }) =>
    makeTarget(`4.18.${z}`, `5.14.0-427.${kernel}.el9_4.${arch}`, { arch, flavours: hasRt ? ['rt'] : [] }),
  );
}

describe('plan()', () => {
  it('has one compile for each driver and kernel, one image for each target, whatever the releases', () => {
    fc.assert(
      fc.property(targets, (list) => {
        const all = targetsOf(list);
        const { compiles, images, kmodImages, blocked } = plan(SET, all, INPUTS);

        const kernels = new Set(all.flatMap(({ kernels: some }) => some.map(({ release }) => release)));
        expect(images.map(({ target }) => target)).toEqual(all);
        expect(compiles).toHaveLength(2 * kernels.size);
        expect(new Set(compiles.map(({ id }) => id)).size).toBe(compiles.length);
        expect(new Set(kmodImages.map(({ kernel }) => kernel))).toEqual(kernels);
        expect(blocked).toHaveLength(all.filter((target) => target.kernels.length === 1).length);
        for (const unit of compiles) {
          const first = all.find((target) => target.kernels.some(({ release }) => release === unit.kernel));
          expect(unit.target).toBe(first);
        }
        for (const unit of kmodImages) {
          expect(
            unit.targets.every((target) => target.kernels.some((one) => one.release === unit.kernel)),
          ).toBe(true);
        }
      }),
    );
  });
});

describe('select()', () => {
  it('gives parts that are as they are in the whole, and that together are the whole', () => {
    fc.assert(
      fc.property(targets, (list) => {
        const all = plan(SET, targetsOf(list), INPUTS);
        const kernels = [...new Set(all.compiles.map(({ kernel }) => kernel))];

        const parts = kernels.map((kernel) => select(all, parseOnly([`kernel=${kernel}`])));

        expect(new Set(parts.flatMap(({ images }) => images))).toEqual(new Set(all.images));
        expect(parts.flatMap(({ kmodImages }) => kmodImages)).toHaveLength(all.kmodImages.length);
        expect(new Set(parts.flatMap(({ compiles }) => compiles))).toEqual(new Set(all.compiles));
      }),
    );
  });

  it('compiles what the chosen images need, and nothing else', () => {
    const all = plan(
      SET,
      [
        makeTarget('4.18.4', '5.14.0-1.x86_64', { flavours: ['rt'] }),
        makeTarget('4.18.5', '5.14.0-1.x86_64'),
        makeTarget('4.18.6', '5.14.0-2.x86_64', { flavours: ['rt'] }),
      ],
      INPUTS,
    );

    const rt = select(all, parseOnly(['flavour=rt', 'release=4.18.4,release=4.18.5']));

    expect(rt.images).toEqual([]);
    expect(rt.kmodImages.map(({ id }) => id)).toEqual(['kmod image for 5.14.0-1.x86_64+rt']);
    expect(rt.compiles.map(({ id }) => id)).toEqual([
      'one for 5.14.0-1.x86_64+rt',
      'two for 5.14.0-1.x86_64+rt',
    ]);
    expect(rt.blocked.map(({ id }) => id)).toEqual(['4.18.5 x86_64 rhel-9 rt']);
    expect(select(all, undefined)).toBe(all);
    expect(select(all, parseOnly(['driver=three'])).images).toEqual([]);
  });
});

describe('select(), with drivers that need others', () => {
  it('keeps what must be compiled first, also when no image has it', () => {
    const [one, two] = SPEC.drivers;
    const set: PlannedSet = {
      ...SPEC,
      drivers: [one!, { ...two!, dependsOn: ['one'] }],
      rollout: { ...SPEC.rollout, day1: ['one'] },
    };
    const all = plan(set, [makeTarget('4.18.4', '5.14.0-427.1.el9_4.x86_64')], makeInputs(set));

    const { images, compiles } = select(all, parseOnly(['release=4.18.4']));

    expect(images[0]?.compiles.map(({ driver }) => driver.name)).toEqual(['two']);
    expect(compiles.map(({ driver }) => driver.name)).toEqual(['one', 'two']);
  });
});
