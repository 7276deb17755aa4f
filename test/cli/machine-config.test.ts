import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';

const IMAGE = `quay.io/acme/rhcos-nic@sha256:${'4d'.repeat(32)}`;
const FLAGS = ['machine-config', 'os-image', '--name', '99-worker-nic', '--pool', 'worker', '--image'];

describe('kmodlayer machine-config os-image', () => {
  it('prints a MachineConfig', async () => {
    const { exitCode, stdout } = await runCli([...FLAGS, IMAGE]);

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual({
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfig',
      metadata: {
        name: '99-worker-nic',
        labels: { 'machineconfiguration.openshift.io/role': 'worker' },
      },
      spec: { osImageURL: IMAGE },
    });
  });

  it('prints the same as JSON', async () => {
    const { stdout } = await runCli([...FLAGS, IMAGE, '-o', 'json']);

    expect(JSON.parse(stdout)).toMatchObject({ kind: 'MachineConfig', spec: { osImageURL: IMAGE } });
  });

  it('refuses a tag, which nodes would never look at again', async () => {
    const { exitCode, stderr } = await runCli([...FLAGS, 'quay.io/acme/rhcos-nic:latest']);

    expect(exitCode).toBe(2);
    expect(stderr).toContain('it is not pinned to a digest');
  });
});
