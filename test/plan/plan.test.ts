import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inputHashOf } from '../../src/plan/input-hash.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { plan, requireLayerable, requireNoKmodImages } from '../../src/plan/plan.ts';
import { resolve as resolveRelease } from '../../src/resolve/resolve.ts';
import type { Target } from '../../src/resolve/target.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { makeTestIo } from '../support/io.ts';

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

async function targetOf(version: string, kernel: string): Promise<Target> {
  const [target] = await resolveRelease(
    { release: `oci:${resolve('fixtures/quickstart/release')}:4.18.4` },
    makeTestIo(),
  );
  return {
    ...target!,
    release: { ...target!.release, version: parseOpenShiftVersion(version) },
    osImage: { ...target!.osImage, kernel: parseKernelRelease(kernel) },
  };
}

describe('plan()', () => {
  it('compiles each driver once for each kernel, whatever the number of releases', async () => {
    const targets = await Promise.all([
      targetOf('4.18.4', '5.14.0-427.1.el9_4.x86_64'),
      targetOf('4.18.5', '5.14.0-427.1.el9_4.x86_64'),
      targetOf('4.18.6', '5.14.0-427.2.el9_4.x86_64'),
    ]);

    const { images, compiles } = plan(SET, targets);

    expect(images.map(({ id }) => id)).toEqual([
      '4.18.4 x86_64 rhel-9',
      '4.18.5 x86_64 rhel-9',
      '4.18.6 x86_64 rhel-9',
    ]);
    expect(compiles.map(({ id }) => id)).toEqual([
      'one for 5.14.0-427.1.el9_4.x86_64',
      'two for 5.14.0-427.1.el9_4.x86_64',
      'one for 5.14.0-427.2.el9_4.x86_64',
      'two for 5.14.0-427.2.el9_4.x86_64',
    ]);
    expect(images[1]?.compiles[0]).toBe(images[0]?.compiles[0]);
  });
});

describe('requireNoKmodImages()', () => {
  const osImage = parseReference('quay.io/acme/os');

  it('takes sets whose drivers are all in the layered image', () => {
    expect(() => {
      requireNoKmodImages({ publish: { osImage }, rollout: { pools: ['worker'], day1: [] } });
    }).not.toThrow();
  });

  it.each([
    { publish: { osImage, kmodImage: osImage }, rollout: { pools: ['worker'] } },
    { publish: { osImage }, rollout: { pools: ['worker'], day1: ['ice'] } },
  ])('refuses drivers that Day 1 units load', (set) => {
    expect(() => {
      requireNoKmodImages(set);
    }).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('kmod images') as string }),
    );
  });
});

describe('requireLayerable()', () => {
  it('refuses kernels that nodes get from elsewhere than the OS image', () => {
    expect(() => {
      requireLayerable({ kernels: ['default', '64k'] });
    }).toThrow('Cannot layer for the 64k kernel: it is not in the OS image');
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
