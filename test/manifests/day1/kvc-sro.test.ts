import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Day1DriverOptions, Day1DriversOptions } from '../../../src/manifests/day1/options.ts';
import { makeDay1MachineConfig, produceMachineConfig } from '../../../src/manifests/day1/produce.ts';
import { crdCheck } from '../../support/crd.ts';
import { ignitionCheck } from '../../support/ignition.ts';
import { machineConfigParts } from './machine-config-parts.ts';

const checkObject = crdCheck('machineconfigs.yaml', 'v1');
const checkIgnition = ignitionCheck('3.2.0');
const DIGEST = `sha256:${'4d'.repeat(32)}`;
const ICE: Day1DriverOptions = {
  name: 'ice',
  image: 'quay.io/acme/ice',
  modules: [
    { name: 'auxiliary' },
    { name: 'ice', parameters: { debug: '0', greeting: "it's $(id) a" }, replaces: ['irdma', 'ice'] },
  ],
  softdeps: [{ module: 'ice', pre: ['gnss'], post: ['ptp'] }],
  firmware: '/firmware',
};
const OTHER: Day1DriverOptions = {
  name: 'other',
  image: { '5.14.0-1.el9.x86_64+rt': `quay.io/acme/other@${DIGEST}` },
  modules: [{ name: 'other' }],
};
const optionsFor = (loader: 'kvc' | 'sro', drivers = [ICE, OTHER]): Day1DriversOptions => ({
  name: '99-worker-nic',
  pool: 'worker',
  loader,
  drivers,
});

/** The settings that a shell has after it read the file. */
function readByBash(directory: string, settings: readonly string[]): readonly string[] {
  settings.forEach((text, index) => {
    writeFileSync(join(directory, String(index)), text);
  });
  const script = `for file in "$1"/*; do
    (. "$file"; printf '%s\\0' "$KMOD_NAMES" "$KMOD_IMAGE" "\${KMOD_IMAGES[*]}" "\${KMOD_PARAMETERS[@]}")
    printf '\\1'
  done`;
  const output = execFileSync('bash', ['-euc', script, '-', directory], { encoding: 'utf8' });
  return output.split('\u0001').slice(0, -1);
}

const directories: string[] = [];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
  directories.push(directory);
  return directory;
}

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

describe.each(['kvc', 'sro'] as const)('produceMachineConfig() for %s', (loader) => {
  it('fits the definitions of MachineConfig and Ignition, and is read back as it is', async () => {
    const machineConfig = makeDay1MachineConfig(optionsFor(loader));

    const yaml = produceMachineConfig(optionsFor(loader));

    expect(parse(yaml)).toEqual(machineConfig);
    expect(checkObject(machineConfig)).toEqual([]);
    expect(checkIgnition(machineConfig.spec.config)).toEqual([]);
    await expect(yaml).toMatchFileSnapshot(`../../../fixtures/machineconfigs/99-worker-nic-${loader}.yaml`);
  });

  it.each([
    ['activation', { activation: 'reboot' }],
    ['workerImage', { workerImage: `quay.io/acme/worker@${DIGEST}` }],
    ['remove', { remove: true }],
  ] as const)('has no use for %s', (path, wrong) => {
    expect(() => makeDay1MachineConfig({ ...optionsFor(loader), ...wrong })).toThrow(
      expect.objectContaining({
        code: 'VALUE_INVALID',
        problems: [expect.objectContaining({ path })],
      }),
    );
  });

  it('gives a shell each setting exactly as it was', () => {
    const value = fc.stringMatching(/^[\x20\x21\x24-\x5b\x5d-\x7e]{0,20}$/);
    const samples = fc.sample(fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), value), 100);
    const settings = samples.map((parameters) => {
      const driver = { ...OTHER, modules: [{ name: 'other', parameters }] };
      const { file } = machineConfigParts(makeDay1MachineConfig(optionsFor(loader, [driver])));
      return file(loader === 'kvc' ? '/etc/kvc/other.conf' : '/etc/kmodlayer/other.conf');
    });

    // The shell lists files by name: 0, 1, 10, 11.
    const read = readByBash(scratch(), settings);

    const inOrder = samples.map((_, index) => index).sort((a, b) => (String(a) < String(b) ? -1 : 1));
    expect(read).toEqual(
      inOrder.map((index) =>
        [
          ...['other', '', `5.14.0-1.el9.x86_64+rt quay.io/acme/other@${DIGEST}`],
          ...parameterLines(samples[index] ?? {}),
          '',
        ].join('\0'),
      ),
    );
  });
});

/** printf writes an empty text when there is none. */
function parameterLines(parameters: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(parameters).map(([key, value]) =>
    value.includes(' ') ? `other ${key}="${value}"` : `other ${key}=${value}`,
  );
}

describe('produceMachineConfig() for sro', () => {
  it('has a service and a script for each driver, which load and unload an image', () => {
    const { unit, file } = machineConfigParts(makeDay1MachineConfig(optionsFor('sro')));

    expect(unit('ice.service')).toMatch(/\nBefore=kubelet-dependencies.target kubelet.service\n/);
    expect(unit('ice.service')).toContain(
      '\nExecStart=/usr/bin/bash "/usr/local/bin/ice" "load" "quay.io/acme/ice"\n',
    );
    expect(unit('ice.service')).toContain(
      '\nExecStop=/usr/bin/bash "/usr/local/bin/ice" "unload" "quay.io/acme/ice"\n',
    );
    expect(unit('other.service')).toContain('"load" "-"\n');
    expect(unit('other.service')).toContain('\nAfter=ice.service\n');
    expect(file('/usr/local/bin/ice')).toMatch(/^#!/);
  });

  it.each(['podman', 'kubelet', 'systemd-udevd'])('refuses a driver that is called %s', (name) => {
    expect(() => makeDay1MachineConfig(optionsFor('sro', [{ ...ICE, name }]))).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ path: 'drivers' })] }),
    );
  });
});

describe('produceMachineConfig() for kvc', () => {
  it('has the template, and for each driver a companion, settings and hooks', () => {
    const machineConfig = makeDay1MachineConfig(optionsFor('kvc'));
    const { unit, file } = machineConfigParts(machineConfig);

    expect(machineConfig.spec.config.systemd?.units.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['kmods-via-containers@.service', undefined],
      ['require-kvc-ice.service', true],
      ['require-kvc-other.service', true],
    ]);
    expect(unit('require-kvc-ice.service')).toMatch(
      /\nRequires=kmods-via-containers@ice\.service\nAfter=kmods-via-containers@ice\.service\nBefore=kmods-via-containers@other\.service\n/,
    );
    expect(file('/usr/local/lib/kvc/ice-lib.sh')).toBe(file('/usr/local/lib/kvc/other-lib.sh'));
    expect(file('/etc/kvc/kmods-via-containers.conf')).toBe('KVC_CONTAINER_RUNTIME=podman\n');
  });

  it('takes the proxy of the template away when none is wanted', () => {
    const { file } = machineConfigParts(makeDay1MachineConfig({ ...optionsFor('kvc'), proxy: false }));

    expect(file('/etc/kvc/ice.conf')).toContain('unset HTTP_PROXY');
  });

  it('keeps within the time of its template', () => {
    expect(() => makeDay1MachineConfig({ ...optionsFor('kvc'), pullTimeoutSeconds: 1441 })).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ path: 'pullTimeoutSeconds' })] }),
    );
  });
});
