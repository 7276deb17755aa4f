import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOnly } from '../../cli/only.ts';
import { makeMatrix, MAX_JOBS } from '../../src/plan/matrix.ts';
import { plan } from '../../src/plan/plan.ts';
import { select } from '../../src/plan/select.ts';
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
publish: { osImage: quay.example.com/acme/net }
`,
  'kmodlayer.yaml',
);
const INPUTS = makeInputs(SET);

function planOf(x86: number, arm: number) {
  const targets = [
    ...Array.from({ length: x86 }, (_, at) => makeTarget(`4.18.${at}`, `5.14.0-${at}.x86_64`)),
    ...Array.from({ length: arm }, (_, at) =>
      makeTarget(`4.18.${at}`, `5.14.0-${at}.aarch64`, { arch: 'aarch64' }),
    ),
  ];
  return plan(SET, targets, INPUTS);
}

describe('makeMatrix()', () => {
  it('has a job for each kernel, with what build --only takes', async () => {
    const { include, kernelsInAJob } = makeMatrix(plan(SET, await tableOfReleases(), INPUTS));

    expect(include).toHaveLength(34);
    expect(kernelsInAJob).toBe(1);
    expect(include.reduce((sum, { images }) => sum + images, 0)).toBe(82);
    expect(include[0]).toMatchObject({
      only: `arch=x86_64,kernel=${include[0]?.kernels[0] ?? ''}`,
      arch: 'x86_64',
      compiles: 1,
      kmodImages: 0,
    });
  });

  it('puts several kernels of one architecture into a job when there are more than jobs', () => {
    const { include, kernels, kernelsInAJob } = makeMatrix(planOf(500, 100));

    expect(kernels).toBe(600);
    expect(kernelsInAJob).toBe(3);
    expect(include.length).toBeLessThanOrEqual(MAX_JOBS);
    expect(include[0]?.name).toBe('5.14.0-0.x86_64 and 2 more');
  });

  it('never has too many jobs, and its jobs do everything once', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.integer({ min: 2, max: 40 }), (x86, arm, maxJobs) => {
        const all = planOf(x86, arm);
        const { include } = makeMatrix(all, maxJobs);

        expect(include.length).toBeLessThanOrEqual(maxJobs);
        const done = include.flatMap(({ only }) => select(all, parseOnly([only])).images);
        expect(done).toHaveLength(all.images.length);
        expect(new Set(done)).toEqual(new Set(all.images));
      }),
      { numRuns: 50 },
    );
  });
});
