import { describe, expect, it } from 'vitest';
import { makeIgnitionFile, parseNodePath } from '../../src/manifests/ignition-file.ts';
import { makeMachineConfig } from '../../src/manifests/machine-config.ts';
import { parseUnitName } from '../../src/manifests/systemd-unit.ts';
import { crdCheck } from '../support/crd.ts';

const check = crdCheck('machineconfigs.yaml', 'v1');
const file = makeIgnitionFile({ path: parseNodePath('/etc/a'), mode: 0o755, contents: 'a\n' });
const unit = {
  name: parseUnitName('a.service'),
  enabled: true,
  contents: '[Service]\nExecStart=/bin/true\n',
};
const parts = { name: '99-a', pool: 'worker', files: [file], units: [unit], kernelArguments: [] };

describe('makeMachineConfig()', () => {
  it('has only what there is, and fits its definition', () => {
    const machineConfig = makeMachineConfig({ ...parts, units: [], kernelArguments: ['a.b=c'] });

    expect(check(machineConfig)).toEqual([]);
    expect(machineConfig.spec).toEqual({
      config: { ignition: { version: '3.2.0' }, storage: { files: [file] } },
      kernelArguments: ['a.b=c'],
    });
  });

  it.each([
    ['name', { name: 'A b' }],
    ['pool', { pool: 'worker\nx' }],
    ['two files of a path', { files: [file, file] }],
    ['two units of a name', { units: [unit, unit] }],
    ['a kernel argument of two words', { kernelArguments: ['a b'] }],
    ['a kernel argument with a quote', { kernelArguments: ['a="b"'] }],
    ['more than a pool can take', { units: [{ ...unit, contents: 'x'.repeat(1_600_000) }] }],
  ])('refuses %s', (_, wrong) => {
    expect(() => makeMachineConfig({ ...parts, ...wrong })).toThrow(
      expect.objectContaining({ code: 'VALUE_INVALID' }),
    );
  });
});
