import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/oci/reference.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { SetInputs } from '../../src/plan/inputs.ts';
import { plan, type PlannedSet } from '../../src/plan/plan.ts';
import type { Target } from '../../src/resolve/target.ts';
import type { Driver } from '../../src/spec/driver-set.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { makeInputs, makeTarget, pinOf } from './targets.ts';

const SET: PlannedSet = parseSpec(
  `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: net }
targets: { releases: [4.18.4] }
drivers:
  - name: one
    version: "1"
    source: { directory: one }
    build: { run: make, args: { A: "1" }, secrets: [{ id: key, file: ./one.key }] }
    modules: [{ name: one }]
  - { name: two, version: "1", source: { files: [two.ko] }, modules: [{ name: two }] }
publish: { osImage: quay.example.com/acme/net, kmodImage: quay.example.com/acme/kmods }
`,
  'kmodlayer.yaml',
);
const KERNEL = '5.14.0-427.1.el9_4.x86_64';
const TARGET = makeTarget('4.18.4', KERNEL);
const INPUTS = makeInputs(SET);

interface Hashes {
  readonly one: string | undefined;
  readonly two: string | undefined;
  readonly image: string | undefined;
  readonly kmod: string | undefined;
}

function hashes(set = SET, inputs: SetInputs = INPUTS, target: Target = TARGET): Hashes {
  const { compiles, images, kmodImages } = plan(set, [target], inputs);
  const [one, two] = compiles.map(({ inputHash }) => inputHash);
  return { one, two, image: images[0]?.inputHash, kmod: kmodImages[0]?.inputHash };
}

/** Names of the hashes that are not what they were. */
function changed(...changes: Parameters<typeof hashes>): readonly string[] {
  const [before, after] = [hashes(), hashes(...changes)];
  return (Object.keys(before) as (keyof Hashes)[]).filter((name) => before[name] !== after[name]);
}

function withDriver(change: Partial<Driver>): PlannedSet {
  const [one, ...others] = SET.drivers;
  return { ...SET, drivers: [{ ...one!, ...change }, ...others] };
}

function withBuild(change: object): PlannedSet {
  return withDriver({ build: { ...SET.drivers[0]!.build!, ...change } });
}

describe('input hashes', () => {
  it('are those of other units and inputs never', () => {
    const all = Object.values(hashes());

    expect(new Set(all).size).toBe(4);
    expect(all.every((hash) => /^[0-9a-f]{64}$/.test(String(hash)))).toBe(true);
    expect(changed()).toEqual([]);
  });

  it.each<[string, PlannedSet, SetInputs, Target, readonly string[]]>([
    ['a source', SET, inputsWith('one', { source: pinOf('other') }), TARGET, ['one', 'image', 'kmod']],
    [
      'a Containerfile',
      SET,
      inputsWith('one', { containerfile: digestOf(Buffer.from('FROM x')) }),
      TARGET,
      ['one', 'image', 'kmod'],
    ],
    ['a build argument', withBuild({ args: { A: '2' } }), INPUTS, TARGET, ['one', 'image', 'kmod']],
    ['a command', withBuild({ command: 'make all' }), INPUTS, TARGET, ['one', 'image', 'kmod']],
    ['a directory', withBuild({ output: 'out' }), INPUTS, TARGET, ['one', 'image', 'kmod']],
    [
      'our scripts',
      SET,
      { ...INPUTS, scripts: digestOf(Buffer.from('new')) },
      TARGET,
      ['one', 'image', 'kmod'],
    ],
    ['the driver-toolkit', SET, INPUTS, withToolkit(), ['one', 'image', 'kmod']],
    ['a version', withDriver({ version: '2' }), INPUTS, TARGET, ['image', 'kmod']],
    ['a parameter', withParameter(), INPUTS, TARGET, ['image', 'kmod']],
    [
      'firmware',
      SET,
      inputsWith('two', { firmware: [{ path: 'a.bin', sha256: '00' }] }),
      TARGET,
      ['image', 'kmod'],
    ],
    [
      'the signer',
      SET,
      { ...INPUTS, signers: [{ certificateSha256: '00', hash: 'sha256' }] },
      TARGET,
      ['image', 'kmod'],
    ],
    ['the name of the set', { ...SET, name: 'other' }, INPUTS, TARGET, ['image', 'kmod']],
    ['the base', SET, INPUTS, withBase(), ['image']],
    ['the release', SET, INPUTS, makeTarget('4.18.5', KERNEL), ['one', 'image', 'kmod']],
    ['the kernel', SET, INPUTS, makeTarget('4.18.4', '5.14.0-1'), ['one', 'two', 'image', 'kmod']],
  ])('change with %s, and nowhere else', (_what, set, inputs, target, expected) => {
    expect(changed(set, inputs, target)).toEqual(expected);
  });

  it('have of images as sources the one for the kernel alone', () => {
    const [one, other] = [digestOf(Buffer.from('one')), digestOf(Buffer.from('other'))];
    const images = { [`${KERNEL} x86_64`]: one, '5.14.0-2 x86_64': one };
    const inputs = (pins: object): SetInputs =>
      inputsWith('two', { source: { type: 'image', images: { ...images, ...pins } } });
    const before = hashes(SET, inputs({}));

    expect(hashes(SET, inputs({ '5.14.0-2 x86_64': other, '5.14.0-3 x86_64': other }))).toEqual(before);
    expect(hashes(SET, inputs({ [`${KERNEL} x86_64`]: other })).two).not.toBe(before.two);
  });

  it.each([
    ['directory of an archive', { type: 'archive', directory: 'a' }, { type: 'archive', directory: 'b' }],
    ['Module of a file', { type: 'module', name: 'a' }, { type: 'module', name: 'b' }],
    [
      'directory of a dkms tree',
      { type: 'dkms', tree: { type: 'archive', directory: 'a' } },
      { type: 'dkms', tree: { type: 'archive', directory: 'b' } },
    ],
  ])('change with the %s', (_what, before, after) => {
    const hashOf = (source: object): string | undefined =>
      hashes(withDriver({ source: source as Driver['source'] })).one;

    expect(hashOf(before)).not.toBe(hashOf(after));
  });

  it('do not depend on where secrets lie, nor on where an image is published', () => {
    const elsewhere = parseReference('quay.example.com/elsewhere/net');

    expect(changed(withBuild({ secrets: [{ id: 'key', file: '/run/other.key' }] }))).toEqual([]);
    expect(changed({ ...SET, publish: { osImage: elsewhere, kmodImage: elsewhere } })).toEqual([]);
  });

  it('do not depend on what else is planned, but for the driver-toolkit of the first release with the kernel', () => {
    const later = makeTarget('4.18.5', KERNEL);
    const other = makeTarget('4.18.3', '5.14.0-1');

    const together = plan(SET, [other, TARGET, later], INPUTS);

    expect(together.images[1]?.inputHash).toBe(hashes().image);
    expect(together.compiles.slice(2).map(({ inputHash }) => inputHash)).toEqual([
      hashes().one,
      hashes().two,
    ]);
  });
});

function inputsWith(name: string, change: object): SetInputs {
  const known = INPUTS.drivers.get(name)!;
  return { ...INPUTS, drivers: new Map([...INPUTS.drivers, [name, { ...known, ...change }]]) };
}

function withToolkit(): Target {
  const digest = digestOf(Buffer.from('other toolkit'));
  return { ...TARGET, driverToolkit: { ...TARGET.driverToolkit, digest } };
}

function withBase(): Target {
  return { ...TARGET, osImage: { ...TARGET.osImage, digest: digestOf(Buffer.from('other base')) } };
}

function withParameter(): PlannedSet {
  const [module] = SET.drivers[0]!.modules;
  return withDriver({ modules: [{ ...module!, parameters: { debug: '1' } }] });
}
