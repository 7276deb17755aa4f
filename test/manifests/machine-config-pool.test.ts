import { describe, expect, it } from 'vitest';
import { makeMachineConfigPool } from '../../src/manifests/machine-config-pool.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('machineconfigpools.yaml', 'v1');

describe('makeMachineConfigPool()', () => {
  it('takes the MachineConfigs of workers and its own, for nodes with its role', () => {
    const pool = makeMachineConfigPool({ name: 'worker-rt' });

    expectKept(pool, check);
    expect(pool).toEqual({
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfigPool',
      metadata: { name: 'worker-rt' },
      spec: {
        machineConfigSelector: {
          matchExpressions: [
            {
              key: 'machineconfiguration.openshift.io/role',
              operator: 'In',
              values: ['worker', 'worker-rt'],
            },
          ],
        },
        nodeSelector: { matchLabels: { 'node-role.kubernetes.io/worker-rt': '' } },
      },
    });
  });

  it('has the settings that are given', () => {
    const pool = makeMachineConfigPool({
      name: 'edge',
      nodeSelector: { 'acme.com/edge': 'yes', zone: '' },
      maxUnavailable: '10%',
      paused: false,
      osImageStream: 'rhel-10',
    });

    expectKept(pool, check);
    expect(pool.spec).toMatchObject({
      nodeSelector: { matchLabels: { 'acme.com/edge': 'yes', zone: '' } },
      maxUnavailable: '10%',
      paused: false,
      osImageStream: { name: 'rhel-10' },
    });
  });

  it.each(['master', 'worker', 'arbiter', 'A b'])('refuses name %s', (name) => {
    expect(problemsOf(makeMachineConfigPool, { name })).toEqual(['name']);
  });

  it.each([0, -1, 1.5, '0%', '101%', '10', '5.5%', true])('refuses maxUnavailable %s', (maxUnavailable) => {
    expect(problemsOf(makeMachineConfigPool, { name: 'edge', maxUnavailable })).toEqual(['maxUnavailable']);
  });

  it.each<[object, string]>([
    [{ nodeSelector: {} }, 'nodeSelector'],
    [{ nodeSelector: { a: 'b c' } }, 'nodeSelector["a"]'],
    [{ nodeSelector: { '../a': '' } }, 'nodeSelector["../a"]'],
    [
      { nodeSelector: { 'node-role.kubernetes.io/master': '' } },
      'nodeSelector["node-role.kubernetes.io/master"]',
    ],
    [{ osImageStream: 'RHEL' }, 'osImageStream'],
    [{ pause: true }, 'pause'],
  ])('refuses %j', (wrong, path) => {
    expect(problemsOf(makeMachineConfigPool, { name: 'edge', ...wrong })).toEqual([path]);
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({
      make: makeMachineConfigPool,
      valid: {
        name: 'edge',
        nodeSelector: { 'acme.com/edge': 'yes' },
        maxUnavailable: 2,
        paused: true,
        osImageStream: 'rhel-9',
      },
      check,
    });
  });
});
