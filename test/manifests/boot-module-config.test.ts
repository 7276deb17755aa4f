import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  day1OptionsOfBootModuleConfig,
  makeBootModuleConfig,
} from '../../src/manifests/boot-module-config.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('bootmoduleconfigs.yaml', 'v1beta1');
const DIGEST = `sha256:${'4d'.repeat(32)}`;
const OPTIONS = {
  name: '99-worker-ice',
  namespace: 'kmm',
  pool: 'worker',
  image: 'quay.io/acme/ice',
  module: 'ice-net',
  replaces: ['irdma', 'i2c-i801'],
  firmware: '/firmware',
  workerImage: `quay.io/acme/worker@${DIGEST}`,
};

describe('makeBootModuleConfig()', () => {
  it('spells modules as they are given, because KMM looks for files', () => {
    const object = makeBootModuleConfig(OPTIONS);

    expectKept(object, check);
    expect(object).toEqual({
      apiVersion: 'kmm.sigs.x-k8s.io/v1beta1',
      kind: 'BootModuleConfig',
      metadata: { name: '99-worker-ice', namespace: 'kmm' },
      spec: {
        machineConfigName: '99-worker-ice',
        machineConfigPoolName: 'worker',
        kernelModuleImage: 'quay.io/acme/ice',
        kernelModuleName: 'ice-net',
        inTreeModulesToRemove: ['irdma', 'i2c-i801'],
        firmwareFilesPath: '/firmware',
        workerImage: `quay.io/acme/worker@${DIGEST}`,
      },
    });
  });

  it.each([`quay.io/acme/ice@${DIGEST}`, 'quay.io/acme/ice:1', 'oci:dir'])(
    'refuses image %s, to which KMM would add a tag',
    (image) => {
      expect(problemsOf(makeBootModuleConfig, { ...OPTIONS, image })).toEqual(['image']);
    },
  );

  it('refuses what it has no place for', () => {
    const wrong = { ...OPTIONS, parameters: { debug: '1' }, loader: 'host' };

    expect(problemsOf(makeBootModuleConfig, wrong)).toEqual(['parameters', 'loader']);
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({ make: makeBootModuleConfig, valid: OPTIONS, check });
  });
});

describe('day1OptionsOfBootModuleConfig()', () => {
  it('gives back what the BootModuleConfig was made from, for any loader', () => {
    const options = day1OptionsOfBootModuleConfig(parse(toYaml([makeBootModuleConfig(OPTIONS)])));

    expect({ ...options, namespace: 'kmm' }).toEqual(OPTIONS);
    expect(() => makeDay1MachineConfig({ ...options, loader: 'kmm' })).not.toThrow();
    expect(() => makeDay1MachineConfig(options)).not.toThrow();
  });

  it('takes one of a cluster, with empty texts and a status', () => {
    const { apiVersion, kind, spec } = makeBootModuleConfig({ ...OPTIONS, replaces: [] });
    const live = {
      ...{ apiVersion, kind },
      metadata: { name: 'x', uid: '1', finalizers: ['kmm.node.kubernetes.io/bmc-finalizer'] },
      spec: { ...spec, inTreeModulesToRemove: [''], firmwareFilesPath: '', workerImage: '' },
      status: { configStatus: '' },
    };

    const { name, pool, image, module } = OPTIONS;
    expect(day1OptionsOfBootModuleConfig(live)).toEqual({ name, pool, image, module, replaces: [] });
  });

  it.each<[object, string]>([
    [{ kernelModuleName: 'ice\nExecStartPre=x' }, 'spec.kernelModuleName'],
    [{ kernelModuleImage: '' }, 'spec.kernelModuleImage'],
    [{ machineConfigName: 'A: b' }, 'spec.machineConfigName'],
    [{ inTreeModulesToRemove: ['a b'] }, 'spec.inTreeModulesToRemove[0]'],
    [{ inTreeModulesToRemove: 'a' }, 'spec.inTreeModulesToRemove'],
    [{ inTreeModuleToRemove: 'a' }, 'spec.inTreeModuleToRemove'],
  ])('refuses %j', (wrong, path) => {
    const object = makeBootModuleConfig(OPTIONS);
    const broken = { ...object, spec: { ...object.spec, ...wrong } };

    expect(problemsOf((value: unknown) => day1OptionsOfBootModuleConfig(value), broken)).toEqual([path]);
  });

  it('never fails otherwise than with what is wrong named', () => {
    const { spec, ...rest } = makeBootModuleConfig(OPTIONS);
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(spec)),
        fc.oneof(fc.anything(), fc.string({ unit: 'binary' })),
        (key, value) => {
          const object = { ...rest, spec: { ...spec, [key]: value } };

          const problems = problemsOf((one: unknown) => day1OptionsOfBootModuleConfig(one), object);

          expect(problems.filter((path) => !path.startsWith(`spec.${key}`))).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
