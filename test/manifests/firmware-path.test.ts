import { describe, expect, it } from 'vitest';
import { makeFirmwarePathMachineConfig } from '../../src/manifests/firmware-path.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('machineconfigs.yaml', 'v1');
const OPTIONS = { name: '99-worker-firmware-path', pool: 'worker' };

describe('makeFirmwarePathMachineConfig()', () => {
  it('gives the kernel a directory, and no files or units', () => {
    const machineConfig = makeFirmwarePathMachineConfig(OPTIONS);

    expectKept(machineConfig, check);
    expect(machineConfig).toEqual({
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfig',
      metadata: {
        name: '99-worker-firmware-path',
        labels: { 'machineconfiguration.openshift.io/role': 'worker' },
      },
      spec: {
        config: { ignition: { version: '3.2.0' } },
        kernelArguments: ['firmware_class.path=/var/lib/firmware'],
      },
    });
  });

  it.each(['/usr/lib/firmware', 'firmware', '/var/../etc/x', '/var/a b', `/var/${'a'.repeat(251)}`])(
    'refuses directory %s',
    (directory) => {
      expect(problemsOf(makeFirmwarePathMachineConfig, { ...OPTIONS, directory })).toEqual(['directory']);
    },
  );

  it('refuses or renders any value of any option', () => {
    const valid = { ...OPTIONS, directory: '/var/lib/fw' };
    expectRefusedOrValid({ make: makeFirmwarePathMachineConfig, valid, check });
  });
});
