import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOADER_NAMES, type Day1Options } from '../../src/manifests/day1/options.ts';
import { makeDay1MachineConfig, ProduceMachineConfig } from '../../src/manifests/day1/produce.ts';
import type { MachineConfig } from '../../src/manifests/machine-config.ts';
import { parse } from 'yaml';
import { NODE_CHAINS } from '../../src/verify/manifest/unit-order.ts';
import { ORDER_TRIALS } from '../verify/manifest/cases/order.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const SHORT = { name: '99-worker-ice', pool: 'worker', image: 'quay.io/acme/ice', module: 'ice' } as const;
const RICH = {
  parameters: { debug: '50 %n $HOME', greeting: "it's" },
  replaces: ['irdma', 'ice'],
  firmware: '/firmware',
  directory: '/mods',
} as const;
const TWO = {
  name: '99-worker-two',
  pool: 'worker',
  drivers: [
    { name: 'one', image: `quay.io/acme/one@${DIGEST}`, modules: [{ name: 'one' }] },
    {
      name: 'two',
      image: { '5.14.0-1.el9.x86_64+rt': `quay.io/acme/two@${DIGEST}` },
      modules: [{ name: 'two_a' }, { name: 'two_b' }],
      softdeps: [{ module: 'two_b', pre: ['gnss'] }],
    },
  ],
} as const;

/** Every way in which units are rendered. */
const VARIANTS: readonly (readonly [string, () => MachineConfig])[] = [
  ...LOADER_NAMES.flatMap((loader) => {
    const options: readonly (readonly [string, Day1Options])[] = [
      ['plain', { ...SHORT, loader }],
      ['with all there is', { ...SHORT, ...RICH, loader }],
      ['without a proxy', { ...SHORT, loader, proxy: false }],
      ...(loader === 'kmm' ? [] : [['of two drivers', { ...TWO, loader }] as const]),
      ...(loader === 'host' ? [['that removes', { ...SHORT, loader, remove: true }] as const] : []),
    ];
    return options.map(([what, one]) => [`${loader}, ${what}`, () => makeDay1MachineConfig(one)] as const);
  }),
  [
    "KMM's four arguments",
    () => parse(ProduceMachineConfig('99-a', 'worker', 'quay.io/acme/ice:1', 'ice')) as MachineConfig,
  ],
];

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Writes what a node gets, as Ignition does; returns the paths of the units and of the scripts. */
function apply({ spec: { config } }: MachineConfig): { units: string[]; scripts: string[] } {
  const scripts = (config.storage?.files ?? []).flatMap(({ path, mode, contents: { source } }) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    const bytes = Buffer.from(source.slice(source.indexOf(',') + 1), 'base64');
    writeFileSync(file, bytes);
    chmodSync(file, mode);
    return bytes.toString().startsWith('#!') ? [file] : [];
  });
  const directory = join(root, 'etc/systemd/system');
  mkdirSync(directory, { recursive: true });
  const units = (config.systemd?.units ?? []).flatMap(({ name, contents }) => {
    if (contents === undefined) return [];
    writeFileSync(join(directory, name), contents);
    return [name];
  });
  return { units, scripts };
}

/** What systemd finds wrong with units in `root`, which has the programs and targets that a node has. */
function verifyUnits(units: readonly string[]): string {
  for (const program of ['/usr/bin/bash', '/usr/bin/true']) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    cpSync(program, join(root, program));
  }
  cpSync('/usr/lib/systemd/system', join(root, 'usr/lib/systemd/system'), { recursive: true });
  const names = units.map((name) => join(root, 'etc/systemd/system', name.replace('@.', '@ice.')));
  const { status, stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', `--root=${root}`, ...names],
    {
      encoding: 'utf8',
    },
  );
  return status === 0 ? stderr : `exit ${status}\n${stderr}`;
}

describe('systemd-analyze verify', () => {
  it.each(VARIANTS)('finds nothing wrong with the units of %s', (_, make) => {
    const { units } = apply(make());

    expect(units.length).toBeGreaterThan(0);
    expect(verifyUnits(units)).toBe('');
  });

  it('knows wrong from right', () => {
    const { units } = apply(makeDay1MachineConfig({ ...SHORT, loader: 'kmm' }));
    rmSync(join(root, 'usr/local/bin/replace-kernel-module.sh'));

    expect(verifyUnits(units)).toContain('replace-kernel-module.sh is not executable');
  });
});

describe('circles of units', () => {
  /** What a node has: units that say of each other what the linter takes for known, all started by one boot. */
  function writeNode(configs: readonly Readonly<Record<string, string>>[]): string {
    const directory = join(root, 'etc/systemd/system');
    mkdirSync(directory, { recursive: true });
    const ours = configs.flatMap((units) => Object.entries(units));
    for (const [name, text] of ours) writeFileSync(join(directory, name), text);
    const names = new Set(NODE_CHAINS.flat().filter((name) => name.endsWith('.service')));
    for (const name of [...names, 'kubelet-dependencies.target']) {
      const before = NODE_CHAINS.flatMap((chain) => chain.filter((_, at) => chain[at - 1] === name));
      const after = NODE_CHAINS.flatMap((chain) => chain.filter((_, at) => chain[at + 1] === name));
      const order = `[Unit]\nBefore=${before.join(' ')}\nAfter=${after.join(' ')}\n`;
      const service = '[Service]\nType=oneshot\nExecStart=/usr/bin/true\n';
      writeFileSync(join(directory, name), name.endsWith('.service') ? order + service : order);
    }
    const ourNames = ours.map(([name]) => name);
    execFileSync('systemctl', ['--quiet', `--root=${root}`, 'enable', ...ourNames], { stdio: 'pipe' });
    const wants = [...names, 'kubelet-dependencies.target', 'network-online.target', 'multi-user.target'];
    writeFileSync(join(directory, 'boot.target'), `[Unit]\nWants=${wants.join(' ')}\n`);
    return 'boot.target';
  }

  it.each(ORDER_TRIALS)('systemd finds what the linter finds: $what', ({ configs, isCircle }) => {
    const said = verifyUnits([writeNode(configs)]);

    expect(/Found ordering cycle/.test(said), said).toBe(isCircle);
  });
});

describe('shellcheck', () => {
  it.each(VARIANTS)('finds nothing wrong with the scripts of %s', (_, make) => {
    const { scripts } = apply(make());

    expect(scripts.length).toBeGreaterThan(0);
    expect(() =>
      execFileSync('shellcheck', ['--shell=bash', ...scripts], { encoding: 'utf8' }),
    ).not.toThrow();
  });
});
