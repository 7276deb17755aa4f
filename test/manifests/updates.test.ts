import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeBootModuleConfig } from '../../src/manifests/boot-module-config.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { makeKmmModule } from '../../src/manifests/kmm-module.ts';
import { makeMachineConfigPool } from '../../src/manifests/machine-config-pool.ts';
import { makeImageDigestMirrorSet, makeImageTagMirrorSet } from '../../src/manifests/mirror-set.ts';
import { makeNodeDisruptionPolicy } from '../../src/manifests/node-disruption-policy.ts';
import { makePinnedImageSet } from '../../src/manifests/pinned-image-set.ts';
import { crdCheck, crdRules } from '../support/crd.ts';

const digest = (digit: number): string => `sha256:${String(digit).repeat(64)}`;
const image = (digit: number): string => `quay.io/acme/ice@${digest(digit)}`;
const day1 = (digit: number) =>
  makeDay1MachineConfig({ name: '99-worker-ice', pool: 'worker', image: image(digit), module: 'ice' });
const mirrors = (digit: number) => ({
  name: 'acme',
  mirrors: [{ source: 'quay.io/acme', mirrors: [`m${digit}.example.com/acme`] }],
});

/** What of a pool the Machine Config Operator writes beside what was applied. */
const status = (observedGeneration: number) => ({
  poolSynchronizersStatus: [
    {
      poolSynchronizerType: 'PinnedImageSets',
      machineCount: 3,
      updatedMachineCount: 3,
      readyMachineCount: 3,
      availableMachineCount: 3,
      unavailableMachineCount: 0,
      observedGeneration,
    },
  ],
});

/** By definition an object of each version of the product's input: 1 is applied first, 2 over it. */
const MADE: Readonly<Record<string, { readonly version: string; readonly make: (digit: 1 | 2) => object }>> =
  {
    'bootmoduleconfigs.yaml': {
      version: 'v1beta1',
      make: (digit) =>
        makeBootModuleConfig({
          ...{ name: 'ice', namespace: 'kmm', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' },
          replaces: digit === 1 ? [] : ['irdma'],
        }),
    },
    'imagedigestmirrorsets.yaml': {
      version: 'v1',
      make: (digit) => makeImageDigestMirrorSet(mirrors(digit)),
    },
    'imagetagmirrorsets.yaml': { version: 'v1', make: (digit) => makeImageTagMirrorSet(mirrors(digit)) },
    'machineconfigpools.yaml': {
      version: 'v1',
      make: (digit) => ({
        ...makeMachineConfigPool({ name: 'worker-rt', maxUnavailable: digit }),
        status: status(digit),
      }),
    },
    'machineconfigs.yaml': { version: 'v1', make: day1 },
    'machineconfigurations.yaml': {
      version: 'v1',
      make: (digit) =>
        makeNodeDisruptionPolicy({ machineConfigs: [day1(digit)], files: [`/etc/${digit}.conf`] }),
    },
    'modules.yaml': {
      version: 'v1beta1',
      make: (digit) =>
        makeKmmModule({
          ...{ name: 'ice', namespace: 'kmm', image: image(digit), module: 'ice' },
          nodeSelector: { 'node-role.kubernetes.io/worker': '' },
        }),
    },
    'pinnedimagesets.yaml': {
      version: 'v1',
      make: (digit) => makePinnedImageSet({ name: 'ice', pool: 'worker', images: [image(digit)] }),
    },
  };

describe('An object that is made anew', () => {
  it.each(readdirSync('fixtures/crds').filter((name) => name.endsWith('.yaml')))(
    'may be applied over the one before: %s',
    (file) => {
      const { version, make } = MADE[file] ?? { version: '', make: () => ({}) };
      const [before, after] = [make(1), make(2)];

      const check = crdCheck(file, version);
      expect(after).not.toEqual(before);
      expect(check(before)).toEqual([]);
      expect(check(after, before)).toEqual([]);
      expect(check(before, before)).toEqual([]);
    },
  );

  it('is held to rules over changes, where there are any: of the status of pools alone', () => {
    const withRules = Object.entries(MADE).filter(
      ([file, { version }]) => crdRules(file, version).transitions.length > 0,
    );
    const check = crdCheck('machineconfigpools.yaml', 'v1');
    const pool = (generation: number) => ({
      ...makeMachineConfigPool({ name: 'worker-rt' }),
      status: status(generation),
    });

    expect(withRules.map(([file]) => file)).toEqual(['machineconfigpools.yaml']);
    expect(check(pool(1), pool(2))).toEqual([expect.stringContaining('must not move backwards')]);
    expect(check(pool(0), pool(2))).toEqual([]);
    expect(check(pool(1))).toEqual([]);
  });
});
