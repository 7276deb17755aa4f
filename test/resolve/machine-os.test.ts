import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findMachineOs, machineOsVersion } from '../../src/resolve/machine-os.ts';
import { type Component, parseImageReferences } from '../../src/resolve/payload.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);
const FIXTURES = join(import.meta.dirname, '../../fixtures/releases');
const VERSIONS = 'io.openshift.build.versions';

function component(name: string, machineOs?: string): Component {
  const annotations = new Map(machineOs === undefined ? [] : [[VERSIONS, `machine-os=${machineOs}`]]);
  return { name, annotations, kind: 'DockerImage', pullspec: '' };
}

function components(...all: readonly Component[]): ReadonlyMap<string, Component> {
  return new Map(all.map((one) => [one.name, one]));
}

describe('findMachineOs()', () => {
  it.each([
    ['46.82.202011260640-0', '8.2'],
    ['49.84.202110081407-0', '8.4'],
    ['412.86.202302091057-0', '8.6'],
    ['413.92.202302081904-0', '9.2'],
    ['418.94.202501010000-0', '9.4'],
    ['9.6.20250925-0', '9.6'],
    ['10.2.20260328-0', '10.2'],
    ['413.9.202302130811-0', '9'],
    ['420.10.202511010000-0', '10'],
    ['10.0.20260614-0', '10.0'],
  ])('reads %s as RHEL %s', (text, rhelVersion) => {
    expect(findMachineOs(text)).toEqual({ rhelVersion });
  });

  it.each(['37.20230211.20.0', '43.20260301.20.dev1', '', 'true', '418.94', '4.18.4'])(
    'reads nothing from %j',
    (text) => {
      expect(findMachineOs(text)).toBeUndefined();
    },
  );

  it('gives a version or nothing, whatever the text is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9.-]{0,40}$/), (text) => {
        const found = findMachineOs(text);

        expect(found === undefined || /^\d+(\.\d+)?$/.test(found.rhelVersion)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('machineOsVersion()', () => {
  it('finds the one of 4.12.0 on machine-os-content, since rhel-coreos-8 has none', () => {
    const all = parseImageReferences(readFileSync(join(FIXTURES, 'image-references-4.12.0-x86_64.json')));

    const version = machineOsVersion(all.get('rhel-coreos-8')!, all, {});

    expect(version).toBe('412.86.202301061548-0');
  });

  it('takes that of its own image when there are two streams', () => {
    const nine = component('rhel-coreos', '9.8.20260403-0');
    const ten = component('rhel-coreos-10', '10.2.20260328-0');

    expect(machineOsVersion(ten, components(nine, ten), {})).toBe('10.2.20260328-0');
  });

  it('does not borrow from another image when two disagree', () => {
    const own = component('rhel-coreos');
    const all = components(own, component('a', '9.8.20260403-0'), component('b', '10.2.20260328-0'));

    expect(machineOsVersion(own, all, { version: '9.6.20250925-0' })).toBe('9.6.20250925-0');
  });

  it('reads the key among others, and falls back to labels in their order', () => {
    const own = component('rhel-coreos');
    const labels = {
      version: '418.94.1',
      'org.opencontainers.image.version': '2',
      [VERSIONS]: 'kubernetes=1.31.6, machine-os=418.94.202501010000-0',
    };

    expect(machineOsVersion(own, components(own), labels)).toBe('418.94.202501010000-0');
    expect(machineOsVersion(own, components(own), { version: '418.94.1' })).toBe('418.94.1');
    expect(machineOsVersion(own, components(own), { 'org.opencontainers.image.version': '2' })).toBe('2');
    expect(machineOsVersion(own, components(own), { version: 'two words' })).toBe('');
  });
});
