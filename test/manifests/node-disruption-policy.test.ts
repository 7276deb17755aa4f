import { describe, expect, it } from 'vitest';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { makeNodeDisruptionPolicy } from '../../src/manifests/node-disruption-policy.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('machineconfigurations.yaml', 'v1');
const NONE = [{ type: 'None' }];
const day1 = (name: string, loader: 'host' | 'kmm') =>
  makeDay1MachineConfig({ name, pool: 'worker', loader, image: 'quay.io/acme/ice', module: 'ice' });

describe('makeNodeDisruptionPolicy()', () => {
  it.each(['host', 'kmm'] as const)('has every file and unit of what loader %s makes', (loader) => {
    const machineConfig = day1('99-worker-ice', loader);

    const policy = makeNodeDisruptionPolicy({ machineConfigs: [machineConfig] });

    expectKept(policy, check);
    const { storage, systemd } = machineConfig.spec.config;
    expect(policy.spec.nodeDisruptionPolicy).toEqual({
      files: storage?.files.map(({ path }) => ({ path, actions: NONE })),
      units: systemd?.units.map(({ name }) => ({ name, actions: NONE })),
    });
  });

  it('names what several MachineConfigs share once', () => {
    const policy = makeNodeDisruptionPolicy({
      machineConfigs: [day1('99-a', 'kmm'), day1('99-b', 'kmm')],
      files: ['/etc/modprobe.d/ice.conf', '/usr/local/bin/wait-for-dispatcher.sh'],
      units: ['crio-wipe.service', 'x.path'],
    });

    expectKept(policy, check);
    const { files = [], units = [] } = policy.spec.nodeDisruptionPolicy;
    expect(files.map(({ path }) => path)).toEqual([
      '/usr/local/bin/replace-kernel-module.sh',
      '/usr/local/bin/pull-kernel-module-image.sh',
      '/usr/local/bin/wait-for-dispatcher.sh',
      '/etc/modprobe.d/ice.conf',
    ]);
    expect(units.map(({ name }) => name)).toEqual([
      ...['99-a-replace-kernel-module.service', '99-a-pull-kernel-module-image.service', 'crio-wipe.service'],
      ...['99-b-replace-kernel-module.service', '99-b-pull-kernel-module-image.service', 'x.path'],
    ]);
  });

  it('leaves out templates of units, whose names the definition does not take', () => {
    const kvc = makeDay1MachineConfig({
      ...{ name: '99-a', pool: 'worker', loader: 'kvc', module: 'ice' },
      image: `quay.io/acme/ice@sha256:${'4d'.repeat(32)}`,
    });
    const policy = makeNodeDisruptionPolicy({ machineConfigs: [kvc] });

    expectKept(policy, check);
    const names = (kvc.spec.config.systemd?.units ?? []).map(({ name }) => String(name));
    expect(names.some((name) => name.includes('@'))).toBe(true);
    expect((policy.spec.nodeDisruptionPolicy.units ?? []).map(({ name }) => name)).toEqual(
      names.filter((name) => !name.includes('@')),
    );
    expect(problemsOf(makeNodeDisruptionPolicy, { units: ['a@b.service', 'c.service'] })).toEqual([
      'units[0]',
    ]);
  });

  const many = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `/etc/${at}`);

  it('takes what the definition takes', () => {
    expectKept(makeNodeDisruptionPolicy({ files: many(50) }), check);
  });

  it.each([
    [{}, ['machineConfigs']],
    [{ files: many(51) }, ['files']],
    [{ units: many(51).map((path) => `${path.slice(5)}.service`) }, ['units']],
    [{ files: ['/usr/bin/a', 'b'] }, ['files[0]', 'files[1]', 'machineConfigs']],
    [{ units: ['a', 'b.service'] }, ['units[0]']],
    [{ machineConfigs: [7] }, ['machineConfigs[0]']],
    [{ machineConfigs: day1('99-a', 'host') }, ['machineConfigs', 'machineConfigs']],
  ])('refuses %j', (options, paths) => {
    const problems = problemsOf(makeNodeDisruptionPolicy, options);

    for (const path of paths) expect(problems).toContainEqual(expect.stringContaining(path));
  });

  it('refuses a MachineConfig that is not as ours are', () => {
    const { spec, ...rest } = day1('99-a', 'host');

    const options = { machineConfigs: [{ ...rest, spec: { ...spec, osImageURL: 'quay.io/a/b:c' } }] };

    expect(problemsOf(makeNodeDisruptionPolicy, options)).toContain('machineConfigs[0].spec.osImageURL');
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({
      make: makeNodeDisruptionPolicy,
      valid: { machineConfigs: [day1('99-a', 'host')], files: ['/etc/a'], units: ['a.service'] },
      check,
    });
  });
});
