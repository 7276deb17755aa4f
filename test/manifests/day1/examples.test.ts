import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { crdCheck } from '../../support/crd.ts';
import { ignitionCheck } from '../../support/ignition.ts';
import { runCli } from '../../support/cli.ts';
import type { MachineConfig } from '../../../src/manifests/machine-config.ts';

const DIRECTORY = 'fixtures/day1';
const checkObject = crdCheck('machineconfigs.yaml', 'v1');
const checkIgnition = ignitionCheck('3.2.0');

function expectValid(yaml: string): void {
  const machineConfig = parse(yaml) as MachineConfig;
  expect(checkObject(machineConfig)).toEqual([]);
  expect(checkIgnition(machineConfig.spec.config)).toEqual([]);
}

describe('The examples of docs/day1.md', () => {
  it.each(readdirSync(DIRECTORY).filter((name) => name.endsWith('.sh')))(
    '%s prints a manifest',
    async (name) => {
      const [program, ...argv] = readFileSync(join(DIRECTORY, name), 'utf8').trim().split(' ');

      const { exitCode, stdout, stderr } = await runCli(argv);

      expect(program).toBe('kmodlayer');
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      expectValid(stdout);
    },
  );

  it('operator.ts makes manifests', async () => {
    const example = join(process.cwd(), DIRECTORY, 'operator.ts');
    const made = (await import(example)) as { readonly nic: string; readonly forKmm: string };

    for (const yaml of [made.nic, made.forKmm]) expectValid(yaml);
  });
});
