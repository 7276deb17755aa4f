import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { KmodError } from '../../../src/errors.ts';
import type { Day1Options } from '../../../src/manifests/day1/options.ts';
import {
  makeDay1MachineConfig,
  ProduceMachineConfig,
  produceMachineConfig,
} from '../../../src/manifests/day1/produce.ts';
import type { MachineConfig } from '../../../src/manifests/machine-config.ts';
import { crdCheck } from '../../support/crd.ts';
import { ignitionCheck } from '../../support/ignition.ts';
import { machineConfigParts } from './machine-config-parts.ts';

const checkObject = crdCheck('machineconfigs.yaml', 'v1');
const checkIgnition = ignitionCheck('3.2.0');
const DIGEST = `sha256:${'4d'.repeat(32)}`;
const WORKER = `quay.io/acme/worker@${DIGEST}`;

function partsOf(yaml: string): ReturnType<typeof machineConfigParts> {
  return machineConfigParts(parse(yaml) as MachineConfig);
}

describe('ProduceMachineConfig()', () => {
  it('has the structure of that of Kernel Module Management', async () => {
    const yaml = ProduceMachineConfig(
      ...(['99-worker-ice', 'worker', 'quay.io/acme/ice', 'ice', '/opt/lib/firmware', WORKER] as const),
      ['ice', 'irdma'],
    );

    const machineConfig = parse(yaml) as MachineConfig;
    expect(checkObject(machineConfig)).toEqual([]);
    expect(checkIgnition(machineConfig.spec.config)).toEqual([]);
    expect(machineConfig).toMatchObject({
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfig',
      metadata: {
        name: '99-worker-ice',
        labels: { 'machineconfiguration.openshift.io/role': 'worker' },
      },
    });
    expect(Object.keys(machineConfig.spec)).toEqual(['config']);
    const { ignition, storage, systemd } = machineConfig.spec.config;
    expect(ignition).toEqual({ version: '3.2.0' });
    expect(systemd?.units.map(({ name, enabled, mask }) => ({ name, enabled, mask }))).toEqual([
      { name: '99-worker-ice-replace-kernel-module.service', enabled: true },
      { name: '99-worker-ice-pull-kernel-module-image.service', enabled: true },
      { name: 'crio-wipe.service', enabled: false, mask: true },
    ]);
    expect(
      storage?.files.map(({ path, mode, overwrite, user }) => ({ path, mode, overwrite, user })),
    ).toEqual(
      ['replace-kernel-module', 'pull-kernel-module-image', 'wait-for-dispatcher'].map((name) => ({
        path: `/usr/local/bin/${name}.sh`,
        mode: 0o755,
        overwrite: true,
        user: { name: 'root' },
      })),
    );
    await expect(yaml).toMatchFileSnapshot('../../../fixtures/machineconfigs/99-worker-ice-kmm.yaml');
  });

  it('gives the variables that scripts of Kernel Module Management have', () => {
    const { environment } = partsOf(
      ProduceMachineConfig(
        ...(['a', 'worker', 'quay.io/acme/ice', 'ice', '/opt/lib/firmware', WORKER] as const),
        ['ice', 'irdma'],
      ),
    );

    expect(environment('a-replace-kernel-module.service')).toMatchObject({
      FIRMWARE_FILES_PATH: '/opt/lib/firmware',
      IN_TREE_MODULES_TO_REMOVE: 'ice irdma',
      KERNEL_MODULE: 'ice',
      KERNEL_MODULE_IMAGE: 'quay.io/acme/ice',
      WORKER_CONFIG_FILEPATH: '/var/lib/kmm_day1_config.yaml',
      WORKER_IMAGE: WORKER,
    });
    expect(environment('a-pull-kernel-module-image.service')).toMatchObject({
      KERNEL_MODULE_IMAGE: 'quay.io/acme/ice',
      KERNEL_MODULE_IMAGE_FILEPATH: '/var/lib/image_file_day1.tar',
      WORKER_IMAGE: WORKER,
    });
  });

  // The Machine Config Operator's units of the first boot have a job in every boot, after the network.
  it.each(['host', 'kmm'] as const)('%s loads after nothing that itself waits for the network', (loader) => {
    const { spec } = makeDay1MachineConfig({
      name: 'a',
      pool: 'worker',
      loader,
      image: 'quay.io/a/b',
      module: 'c',
    });
    const texts = (spec.config.systemd?.units ?? []).flatMap(({ contents = '' }) =>
      contents.includes('\nBefore=network-pre.target\n') ? [contents] : [],
    );
    const after = texts.flatMap((text) =>
      [...text.matchAll(/^After=(.*)$/gm)].flatMap(([, names = '']) => names.split(' ')),
    );

    expect(texts).toHaveLength(1);
    expect(after.filter((name) => !/^(?:local-fs\.target|systemd-[a-z-]+\.service)$/.test(name))).toEqual([]);
  });

  it('takes four arguments, as the documentation of OKD has it', () => {
    const { environment } = partsOf(ProduceMachineConfig('a', 'worker', 'quay.io/acme/ice', 'ice'));

    expect(environment('a-replace-kernel-module.service')).toMatchObject({
      FIRMWARE_FILES_PATH: '',
      IN_TREE_MODULES_TO_REMOVE: 'ice',
      WORKER_IMAGE: 'quay.io/edge-infrastructure/kernel-module-management-worker:latest',
    });
  });

  it('removes nothing when that is said', () => {
    const yaml = ProduceMachineConfig('a', 'worker', 'quay.io/acme/ice', 'ice', '', '', []);

    expect(partsOf(yaml).environment('a-replace-kernel-module.service')).toMatchObject({
      IN_TREE_MODULES_TO_REMOVE: '',
    });
  });

  it.each([
    ['99 x', 'worker', 'quay.io/a/b', 'c', 'machineConfigName'],
    ['99-x', 'worker\nx: y', 'quay.io/a/b', 'c', 'machineConfigPoolRef'],
    ['99-x', 'worker', 'quay.io/a/b:$(id)', 'c', 'kernelModuleImage'],
    ['99-x', 'worker', 'quay.io/a/b', 'c"\nExecStartPre=/bin/evil', 'kernelModuleName'],
  ])('names the argument that is wrong in %j %j %j %j', (name, pool, image, module, argument) => {
    expect(() => ProduceMachineConfig(name, pool, image, module)).toThrow(
      expect.objectContaining({
        code: 'VALUE_INVALID',
        message: 'Cannot make this MachineConfig: one of its arguments cannot be used',
        problems: [expect.objectContaining({ path: argument, hint: expect.any(String) as string })],
      }),
    );
  });

  it('names the arguments of the long form, too', () => {
    expect(() =>
      ProduceMachineConfig('a', 'worker', 'quay.io/a/b', 'c', 'firmware', 'worker', ['a b', 'c']),
    ).toThrow(
      expect.objectContaining({
        problems: ['inTreeModulesToRemove[0]', 'firmwareFilesPath', 'workerImage'].map(
          (path) => expect.objectContaining({ path }) as unknown,
        ),
      }),
    );
  });

  it('renders what went in, or refuses it', () => {
    const text = fc.oneof(
      fc.stringMatching(/^[a-z0-9-]{1,20}$/),
      fc.stringMatching(/^quay\.io\/[a-z]{1,5}(?::[a-z0-9.]{1,5})?$/),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('$(reboot)', '%n', 'a\nb: c', '"; rm', "'", 'x'.repeat(1_000_000), '\\', '- &a'),
    );
    fc.assert(
      fc.property(text, text, text, text, (name, pool, image, module) => {
        let yaml: string;
        try {
          yaml = ProduceMachineConfig(name, pool, image, module);
        } catch (error) {
          expect(error).toBeInstanceOf(KmodError);
          return;
        }
        const machineConfig = parse(yaml, { version: '1.1' }) as MachineConfig;
        expect(machineConfig.metadata.name).toBe(name);
        expect(machineConfig.metadata.labels['machineconfiguration.openshift.io/role']).toBe(pool);
        const { environment } = machineConfigParts(machineConfig);
        expect(environment(`${name}-replace-kernel-module.service`)).toMatchObject({
          KERNEL_MODULE: module.replaceAll('-', '_'),
          KERNEL_MODULE_IMAGE: image,
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('produceMachineConfig() for KMM', () => {
  const options = {
    name: '99-worker-ice',
    pool: 'worker',
    loader: 'kmm',
    image: `quay.io/acme/ice:1.0@${DIGEST}`,
    module: 'ice',
    workerImage: WORKER,
  } as const satisfies Day1Options;

  it('gives the scripts parameters, times and paths, each exactly as it was', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.stringMatching(/^[a-z_]{1,8}$/),
          fc.stringMatching(/^[\x20\x21\x24-\x5b\x5d-\x7e]{0,20}$/),
        ),
        (parameters) => {
          const { environment } = machineConfigParts(makeDay1MachineConfig({ ...options, parameters }));

          const { MODULE_PARAMETERS = '[]' } = environment('99-worker-ice-replace-kernel-module.service');
          expect(parse(MODULE_PARAMETERS)).toEqual(
            Object.entries(parameters).map(([name, value]) => `${name}=${value}`),
          );
        },
      ),
    );
  });

  it('leaves a tag beside a digest out, keeps times and paths, and does without a proxy', () => {
    const { environment, unit } = partsOf(
      produceMachineConfig({
        ...options,
        proxy: false,
        activation: 'next-boot',
        directory: '/mods',
        authFile: '/etc/auth.json',
        firmwareDirectory: '/var/fw',
        pullTimeoutSeconds: 100,
        loadTimeoutSeconds: 15,
      }),
    );

    expect(environment('99-worker-ice-replace-kernel-module.service')).toMatchObject({
      KERNEL_MODULE_IMAGE: `quay.io/acme/ice@${DIGEST}`,
      MODULES_DIRECTORY: '/mods',
      FIRMWARE_DIRECTORY: '/var/fw',
      LOAD_TIMEOUT_SECONDS: '1',
    });
    expect(environment('99-worker-ice-pull-kernel-module-image.service')).toMatchObject({
      AUTH_FILE: '/etc/auth.json',
      PULL_TIMEOUT_SECONDS: '80',
      REBOOT: 'no',
    });
    expect(unit('99-worker-ice-pull-kernel-module-image.service')).toContain('\nTimeoutSec=100\n');
    expect(unit('99-worker-ice-pull-kernel-module-image.service')).not.toContain('proxy');
  });

  it.each([
    ['image', { ...options, image: { '5.14.0-1.x86_64': `quay.io/acme/ice@${DIGEST}` } }],
    [
      'drivers',
      {
        name: 'a',
        pool: 'worker',
        loader: 'kmm',
        drivers: [{ name: 'a', image: 'quay.io/a/b', modules: [{ name: 'a' }, { name: 'b' }] }],
      },
    ],
  ] as const)('refuses what the worker cannot do: %s', (path, wrong) => {
    expect(() => produceMachineConfig(wrong)).toThrow(
      expect.objectContaining({
        code: 'VALUE_INVALID',
        problems: [expect.objectContaining({ path })],
      }),
    );
  });
});
