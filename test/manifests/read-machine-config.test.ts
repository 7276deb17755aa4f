import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { parseMachineConfig } from '../../src/manifests/read-machine-config.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { problemsOf } from './hostile.ts';

const OPTIONS = { name: '99-worker-ice', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' };

describe('parseMachineConfig()', () => {
  it.each(['host', 'kmm'] as const)('reads what loader %s made out of its YAML', (loader) => {
    const machineConfig = makeDay1MachineConfig({ ...OPTIONS, loader, firmware: '/firmware' });

    expect(parseMachineConfig(parse(toYaml([machineConfig])))).toEqual(machineConfig);
  });

  it('never fails otherwise than with what is wrong named, wherever it stands', () => {
    const machineConfig = makeDay1MachineConfig({ ...OPTIONS, loader: 'kmm' });
    const paths = pathsIn(machineConfig);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.anything({ maxDepth: 1 }), (path, value) => {
        const problems = problemsOf(
          (options: unknown) => parseMachineConfig(options),
          replaced(machineConfig, path, value),
        );

        expect(problems.every((one) => typeof one === 'string')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

/** The keys that lead to each value in a value. */
function pathsIn(value: unknown): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([key, item]) => pathsIn(item).map((rest) => [key, ...rest]))];
}

function replaced(object: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(object)) {
    return object.map((item: unknown, at) => (String(at) === key ? replaced(item, rest, value) : item));
  }
  const before = object as Readonly<Record<string, unknown>>;
  return { ...before, [key]: replaced(before[key], rest, value) };
}
