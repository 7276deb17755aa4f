import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../../src/errors.ts';
import type { Day1Options } from '../../../src/manifests/day1/options.ts';
import { parseDay1Options } from '../../../src/manifests/day1/parse-options.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const SHORT = {
  name: '99-worker-ice',
  pool: 'worker',
  loader: 'kmm',
  image: 'quay.io/acme/ice',
  module: 'ice',
} as const;
const DRIVER = { name: 'ice', image: `quay.io/acme/ice@${DIGEST}`, modules: [{ name: 'ice' }] };
const LONG = { name: '99-worker-ice', pool: 'worker', loader: 'kmm', drivers: [DRIVER] } as const;

/** The paths of the problems of options of any kind. */
function problemsOf(options: unknown): readonly string[] {
  try {
    parseDay1Options(options as Day1Options);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    expect(error.code).toBe('VALUE_INVALID');
    for (const { message, hint } of error.problems) {
      expect(message.length).toBeLessThan(700);
      expect(hint).toMatch(/\S/);
    }
    return error.problems.map(({ path }) => path);
  }
  return [];
}

describe('parseDay1Options()', () => {
  it('reads the short form as one driver that is named after its module', () => {
    const request = parseDay1Options({ ...SHORT, module: 'ice-net', replaces: ['ice', 'i-40e', 'i_40e'] });

    expect(request).toEqual({
      name: '99-worker-ice',
      pool: 'worker',
      loader: 'kmm',
      drivers: [
        {
          name: 'ice-net',
          image: {
            type: 'tag-by-kernel',
            repository: { transport: 'docker', host: 'quay.io', repository: 'acme/ice' },
          },
          firmware: undefined,
          directory: '/opt',
          modules: [{ name: 'ice_net', parameters: {}, replaces: ['ice', 'i_40e'] }],
          softdeps: [],
        },
      ],
      isRemoval: false,
      activation: 'live',
      hasProxy: true,
      pullTimeoutSeconds: 900,
      loadTimeoutSeconds: 180,
      authFile: '/var/lib/kubelet/config.json',
      firmwareDirectory: '/var/lib/firmware',
      workerImage: undefined,
    });
  });

  it('keeps the order of drivers and modules, parameters and images by kernel', () => {
    const request = parseDay1Options({
      ...LONG,
      drivers: [
        {
          ...DRIVER,
          image: { '5.14.0-1.el9.x86_64+rt': `quay.io/acme/ice:gone@${DIGEST}` },
          modules: [{ name: 'b', parameters: { debug: '1 2', x: '' } }, { name: 'a' }],
          softdeps: [{ module: 'a', pre: ['gnss'] }],
        },
        { ...DRIVER, name: 'other', modules: [{ name: 'c' }] },
      ],
    });

    expect(request.drivers.map(({ modules }) => modules.map(({ name }) => name))).toEqual([
      ['b', 'a'],
      ['c'],
    ]);
    expect(request.drivers[0]).toMatchObject({
      modules: [{ parameters: { debug: '1 2', x: '' } }, {}],
      softdeps: [{ module: 'a', pre: ['gnss'], post: [] }],
      image: {
        references: new Map([
          [
            '5.14.0-1.el9.x86_64+rt',
            { transport: 'docker', host: 'quay.io', repository: 'acme/ice', digest: DIGEST },
          ],
        ]),
      },
    });
  });

  it('names every argument that is wrong at once', () => {
    const problems = problemsOf({
      ...SHORT,
      name: 'A\nb: c',
      pool: 7,
      loader: 'kmn',
      image: 'ice',
      module: 'ice; reboot',
      firmware: '/../x',
      parameters: { 'a b': '1', c: '"', d: 1 },
      replaces: ['x', 'y z'],
      proxy: 'yes',
      pullTimeoutSeconds: 0,
      loadTimeoutSeconds: 1e9,
      authFile: 'x',
      firmwareDirectory: '/usr/lib/firmware',
      workerImage: 'quay.io/a/worker',
      activation: 'now',
      modul: 'x',
    });

    expect([...problems].sort()).toEqual([
      ...['activation', 'authFile', 'firmware', 'firmwareDirectory', 'image', 'loadTimeoutSeconds', 'loader'],
      ...['modul', 'module', 'name', 'parameters["a b"]', 'parameters["c"]', 'parameters["d"]', 'pool'],
      ...['proxy', 'pullTimeoutSeconds', 'replaces[1]', 'workerImage'],
    ]);
  });

  it.each([
    [{ ...LONG, drivers: [] }, 'drivers'],
    [{ ...LONG, drivers: 'ice' }, 'drivers'],
    [{ ...LONG, drivers: [DRIVER, { ...DRIVER, modules: [{ name: 'x' }] }] }, 'drivers'],
    [{ ...LONG, drivers: [DRIVER, { ...DRIVER, name: 'x' }] }, 'drivers'],
    [{ ...LONG, drivers: [{ ...DRIVER, modules: [] }] }, 'drivers[0].modules'],
    [{ ...LONG, drivers: [{ ...DRIVER, modules: [{ name: 'a' }, 'b'] }] }, 'drivers[0].modules[1]'],
    [{ ...LONG, drivers: [{ ...DRIVER, image: {} }] }, 'drivers[0].image'],
    [{ ...LONG, drivers: [{ ...DRIVER, image: { '5.14': 'quay.io/a/b:c' } }] }, 'drivers[0].image["5.14"]'],
    [
      { ...LONG, drivers: [{ ...DRIVER, image: { '$(id)': `quay.io/a/b@${DIGEST}` } }] },
      'drivers[0].image["$(id)"]',
    ],
    [{ ...LONG, drivers: [{ ...DRIVER, image: 'oci:dir' }] }, 'drivers[0].image'],
    [{ ...LONG, drivers: [{ ...DRIVER, softdeps: [{ module: 'x' }] }] }, 'drivers'],
    [
      {
        ...LONG,
        drivers: [DRIVER, { ...DRIVER, name: 'x', modules: [{ name: 'x', replaces: ['ice'] }] }],
      },
      'drivers',
    ],
    [{ ...LONG, image: 'quay.io/a/b' }, 'image'],
    [{ ...SHORT, drivers: undefined }, 'drivers'],
    [{ ...SHORT, firmwareDirectory: `/var/${'a'.repeat(255)}` }, 'firmwareDirectory'],
    [{ ...SHORT, replaces: Array.from({ length: 1001 }, () => 'a') }, 'replaces'],
    [undefined, ''],
    ['x', ''],
  ])('names what is wrong in %j', (options, path) => {
    expect(problemsOf(options)).toContain(path);
  });

  it('never fails otherwise than with the arguments named', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('$(reboot)', '%n', 'a\nb: c', '"; rm', '- &a', 'x'.repeat(1_000_000)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('name', 'pool', 'image', 'module', 'firmware', 'workerImage', 'authFile', 'loader'),
        fc.oneof(text, fc.anything()),
        (key, value) => {
          const problems = problemsOf({ ...SHORT, [key]: value });

          expect(problems.filter((path) => !path.startsWith(key))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
