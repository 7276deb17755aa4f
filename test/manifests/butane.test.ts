import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ButaneConfig, makeButane } from '../../src/manifests/butane.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { makeFirmwarePathMachineConfig } from '../../src/manifests/firmware-path.ts';
import { makeIgnitionFile, parseNodePath } from '../../src/manifests/ignition-file.ts';
import { makeMachineConfig } from '../../src/manifests/machine-config.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { expectRefusedOrValid, problemsOf } from './hostile.ts';

const OPTIONS = { name: '99-worker-ice', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' };
const binary = makeMachineConfig({
  name: '99-a',
  pool: 'worker',
  files: ['\0\xff', 'ünï', 'a\r\n', '', '  a\n\n b: - "%"', 'x '].map((contents, at) =>
    makeIgnitionFile({ path: parseNodePath(`/etc/${at}`), mode: 0o600, contents }),
  ),
  units: [],
  kernelArguments: [],
});

/**
 * A MachineConfig as Butane makes it of a source: `inline` becomes a data URL, `openshift.kernel_arguments` moves, and the
 * rest stays as it is. What else a source has is no key of the language, and left over.
 */
function translated({
  variant,
  version,
  metadata,
  openshift,
  storage,
  systemd,
  ...rest
}: ButaneConfig): unknown {
  expect(rest).toEqual({});
  expect(variant).toBe('openshift');
  expect(version).toMatch(/^4\.\d+\.0$/);
  const files = storage?.files.map(({ contents, ...file }) => ({
    ...file,
    contents: {
      source:
        'inline' in contents
          ? `data:text/plain;base64,${Buffer.from(contents.inline).toString('base64')}`
          : contents.source,
    },
  }));
  return {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'MachineConfig',
    metadata,
    spec: {
      config: {
        ignition: { version: '3.2.0' },
        ...(files === undefined ? {} : { storage: { files } }),
        ...(systemd === undefined ? {} : { systemd }),
      },
      ...(openshift === undefined ? {} : { kernelArguments: openshift.kernel_arguments }),
    },
  };
}

describe('makeButane()', () => {
  it.each([
    ['what loader host makes', makeDay1MachineConfig({ ...OPTIONS, firmware: '/firmware' })],
    ['what loader kmm makes', makeDay1MachineConfig({ ...OPTIONS, loader: 'kmm' })],
    ['the path of firmware', makeFirmwarePathMachineConfig({ name: '99-a', pool: 'worker' })],
    ['files that are no plain text', binary],
  ])('keeps %s, when it is read from YAML', (_, machineConfig) => {
    const source = toYaml([makeButane({ machineConfig, release: '4.18' })]);

    expect(translated(parse(source) as ButaneConfig)).toEqual(machineConfig);
  });

  it('writes scripts as text that people can read', () => {
    const machineConfig = makeDay1MachineConfig({ ...OPTIONS, loader: 'kmm' });

    const source = toYaml([makeButane({ machineConfig, release: '4.18.4' })]);

    expect(source).toMatch(/^version: 4\.18\.0$/m);
    expect(source).toMatch(/inline: \|\n +#!\/bin\/bash\n|inline: \|\n +#!\/usr\/bin\/.*bash\n/);
    expect(source).not.toContain('base64,');
  });

  it.each(['4.7', '4.23', '5.0', '4', '4.18.x', 'latest', '4.18\n'])('refuses release %j', (release) => {
    const machineConfig = makeDay1MachineConfig(OPTIONS);

    expect(problemsOf(makeButane, { machineConfig, release })).toEqual(['release']);
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({
      make: makeButane,
      valid: { machineConfig: makeDay1MachineConfig({ ...OPTIONS, loader: 'kmm' }), release: '4.18' },
      check: () => [],
    });
  });
});
