import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostConfig, hostPrefix } from '../../../src/manifests/day1/host-config.ts';
import { hostLoader } from '../../../src/manifests/day1/host.ts';
import type { Day1Options } from '../../../src/manifests/day1/options.ts';
import { parseDay1Options } from '../../../src/manifests/day1/parse-options.ts';
import { makeMachineConfig } from '../../../src/manifests/machine-config.ts';
import { parseObjectName } from '../../../src/spec/object-name.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const OTHER = `sha256:${'5e'.repeat(32)}`;

const FULL: Day1Options = {
  name: '99-worker-nic',
  pool: 'worker',
  activation: 'reboot',
  pullTimeoutSeconds: 60,
  loadTimeoutSeconds: 45,
  drivers: [
    {
      name: 'gnss',
      image: {
        '5.14.0-427.el9.x86_64': `quay.io/acme/gnss@${DIGEST}`,
        '5.14.0-427.el9.x86_64+rt': `quay.io/acme/gnss@${OTHER}`,
      },
      modules: [{ name: 'gnss' }],
    },
    {
      name: 'ice',
      image: 'quay.io/acme/ice',
      firmware: '/firmware',
      directory: '/opt',
      modules: [
        { name: 'auxiliary', replaces: ['irdma'] },
        { name: 'ice', replaces: ['ice', 'irdma'], parameters: { debug: '0x10', label: '100% of $HOME' } },
      ],
      softdeps: [
        { module: 'ice', pre: ['gnss', 'dca'], post: ['ptp'] },
        { module: 'auxiliary', pre: ['dca'] },
      ],
    },
  ],
};

const ICE_CONFIG = `name\t99-worker-nic-ice
driver\tice
image\t*\tquay.io/acme/ice
directory\t/opt
firmware\t/firmware
firmware-directory\t/var/lib/firmware
activation\treboot
auth-file\t/var/lib/kubelet/config.json
pull-timeout\t60
follows\t99-worker-nic-gnss
replaces\tirdma
replaces\tice
before\tdca
before\tgnss
module\tauxiliary
module\tice
parameter\tice\tdebug=0x10
parameter\tice\tlabel=100% of $HOME
after\tptp
`;

function partsOf(options: Day1Options): ReturnType<typeof hostLoader> {
  return hostLoader(parseDay1Options(options));
}

/** The files of a node by path, decoded as Ignition does. */
function textsOf(parts: ReturnType<typeof hostLoader>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parts.files.map(({ path, contents }) => [
      path,
      Buffer.from(contents.source.replace('data:text/plain;base64,', ''), 'base64').toString(),
    ]),
  );
}

describe('hostLoader()', () => {
  it('gives one script, and a configuration and three units for each driver', () => {
    const parts = partsOf(FULL);

    expect(parts.files.map(({ path, mode }) => [path, mode])).toEqual([
      ['/usr/local/bin/99-worker-nic-day1.sh', 0o755],
      ['/etc/kmodlayer/99-worker-nic-gnss.conf', 0o644],
      ['/etc/kmodlayer/99-worker-nic-ice.conf', 0o644],
    ]);
    expect(parts.units.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['99-worker-nic-gnss-load.service', true],
      ['99-worker-nic-gnss-pull.service', true],
      ['99-worker-nic-gnss-pull.timer', false],
      ['99-worker-nic-ice-load.service', true],
      ['99-worker-nic-ice-pull.service', true],
      ['99-worker-nic-ice-pull.timer', false],
    ]);
    expect(parts.kernelArguments).toEqual(['firmware_class.path=/var/lib/firmware']);
  });

  it('writes each fact on a line of the configuration', () => {
    const texts = textsOf(partsOf(FULL));

    expect(texts['/etc/kmodlayer/99-worker-nic-ice.conf']).toBe(ICE_CONFIG);
    expect(texts['/etc/kmodlayer/99-worker-nic-gnss.conf']).toContain(
      `image\t5.14.0-427.el9.x86_64\tquay.io/acme/gnss@${DIGEST}\n` +
        `image\t5.14.0-427.el9.x86_64+rt\tquay.io/acme/gnss@${OTHER}\n`,
    );
  });

  it('orders the load before the network, and the pull after it and before the kubelet', () => {
    const units = partsOf(FULL).units;
    const linesOf = (name: string): readonly string[] =>
      units.find((unit) => unit.name === name)?.contents?.split('\n') ?? [];

    expect(linesOf('99-worker-nic-ice-load.service')).toEqual(
      expect.arrayContaining([
        'DefaultDependencies=no',
        'Before=network-pre.target',
        'Wants=network-pre.target',
        'After=99-worker-nic-gnss-load.service',
        'ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json',
        'TimeoutStartSec=45',
        'RemainAfterExit=yes',
        'ExecStart=/usr/bin/bash "/usr/local/bin/99-worker-nic-day1.sh" "load" "/etc/kmodlayer/99-worker-nic-ice.conf"',
      ]),
    );
    expect(linesOf('99-worker-nic-ice-pull.service')).toEqual(
      expect.arrayContaining([
        'Wants=network-online.target',
        'After=network-online.target crio-wipe.service',
        'Before=kubelet-dependencies.target kubelet.service',
        'After=99-worker-nic-ice-load.service',
        'EnvironmentFile=-/etc/mco/proxy.env',
        'TimeoutStartSec=345',
        'ConditionPathExists=!/etc/ignition-machine-config-encapsulated.json',
      ]),
    );
  });

  it('leaves the proxy and the kernel argument out where nothing needs them', () => {
    const parts = partsOf({
      name: 'a',
      pool: 'worker',
      image: `quay.io/acme/ice@${DIGEST}`,
      module: 'ice',
      proxy: false,
    });

    expect(parts.units.map(({ contents }) => contents).join('')).not.toContain('proxy.env');
    expect(parts.kernelArguments).toEqual([]);
  });

  it('gives a service that uninstalls each driver, when it is to be removed', () => {
    const parts = partsOf({ ...FULL, remove: true });

    expect(parts.units.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['99-worker-nic-gnss-uninstall.service', true],
      ['99-worker-nic-ice-uninstall.service', true],
    ]);
    expect(parts.units.every(({ contents }) => contents?.includes('"uninstall"'))).toBe(true);
    expect(parts.kernelArguments).toEqual([]);
    expect(Object.keys(textsOf(parts))).toHaveLength(3);
  });

  it('makes a MachineConfig that fits many times into what a pool may have', () => {
    const drivers = Array.from({ length: 20 }, (_value, index) => ({
      name: `driver-${index}`,
      image: `quay.io/acme/driver@${DIGEST}`,
      modules: [{ name: `driver_${index}` }],
    }));
    const machineConfig = makeMachineConfig({
      name: 'a',
      pool: 'worker',
      ...partsOf({ name: 'a', pool: 'worker', drivers }),
    });

    expect(JSON.stringify(machineConfig).length).toBeLessThan(100_000);
  });
});

describe('hostPrefix()', () => {
  const prefixOf = (name: string, driver: string): string =>
    hostPrefix({ name: parseObjectName(name) }, { name: parseObjectName(driver) });

  it('keeps what two drivers of two MachineConfigs have apart', () => {
    expect(prefixOf('99-a', 'b-c')).toBe('99-a_b-c');
    expect(prefixOf('99-a-b', 'c')).toBe('99-a-b-c');
    const name = fc.stringMatching(/^[ab](?:[ab-]{0,4}[ab])?$/);
    fc.assert(
      fc.property(name, name, name, name, (one, driver, other, second) => {
        fc.pre(one !== other || driver !== second);
        expect(prefixOf(one, driver)).not.toBe(prefixOf(other, second));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('hostConfig()', () => {
  it('holds any parameter that is let through, word for word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (value) => {
        let request;
        try {
          request = parseDay1Options({
            name: 'a',
            pool: 'b',
            image: 'quay.io/a/b',
            module: 'm',
            parameters: { p: value },
          });
        } catch {
          return;
        }
        const [driver] = request.drivers;

        const text = driver === undefined ? '' : hostConfig(request, driver, []);

        expect(text.split('\n').filter((line) => line.startsWith('parameter'))).toEqual([
          `parameter\tm\tp=${value}`,
        ]);
      }),
    );
  });
});

describe('machineconfigs/host/day1.sh verify', () => {
  let place = '';

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
  });

  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
  });

  it.each([
    ['OE', 'ok  '],
    ['', 'FAIL'],
  ])(
    'takes a module with the taint "%s" that stands in for that of the OS image as %s',
    async (taint, says) => {
      const module = join(place, 'sys/module/irdma');
      await mkdir(module, { recursive: true });
      await writeFile(join(module, 'initstate'), 'live\n');
      await writeFile(join(module, 'taint'), `${taint}\n`);
      await writeFile(join(place, 'ice.conf'), ICE_CONFIG);

      const { stdout } = spawnSync(
        'bash',
        [
          join(import.meta.dirname, '../../../machineconfigs/host/day1.sh'),
          'verify',
          join(place, 'ice.conf'),
        ],
        {
          encoding: 'utf8',
          env: {
            ...process.env,
            KMODLAYER_STORE: join(place, 'store'),
            KMODLAYER_RUN: join(place, 'run'),
            KMODLAYER_SYSFS: join(place, 'sys'),
          },
        },
      );

      expect(stdout).toContain(`${says}  irdma of the OS image is not loaded`);
    },
  );
});
