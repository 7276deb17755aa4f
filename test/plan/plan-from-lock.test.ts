import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLock } from '../../cli/lock-file.ts';
import { planBuild } from '../../src/build.ts';
import { lockIdentity } from '../../src/plan/lock.ts';
import { formatLock } from '../../src/plan/lockfile.ts';
import { pinSource } from '../../src/plan/pin-source.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';
import { type DriverSet, parseSpec } from '../../src/spec/spec.ts';
import { contextOf, runCli } from '../support/cli.ts';
import { makeTestIo, type TestIo } from '../support/io.ts';
import { makeTarget } from './targets.ts';

const RISK = {
  name: 'NicStops',
  url: 'https://issues.example.com/NIC-1',
  message: 'NICs | of one vendor stop',
};
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-plan-'));
  await writeFile(join(directory, 'own.ko'), 'own');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const specOf = (releases: string): string => `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: nic }
targets: { releases: ['${releases}'], kernels: [default, rt] }
drivers:
  - name: ice
    version: 1.0.0
    source: { git: { url: https://git.example.com/ice.git, ref: main } }
    build: { run: make }
    modules: [{ name: ice }]
  - name: own
    version: 1.0.0
    source: { files: [own.ko] }
    modules: [{ name: own }]
sign: [{ key: 'file:${resolve('fixtures/quickstart/keys/TEST-ONLY.key')}', certificate: '${resolve('fixtures/quickstart/keys/TEST-ONLY.der')}' }]
publish: { osImage: quay.example.com/acme/os, kmodImage: quay.example.com/acme/kmods }
`;

/** A spec for a range, and beside it the lock file that answers it. */
async function writeSpecAndLock(): Promise<DriverSet> {
  const file = join(directory, 'kmodlayer.yaml');
  await writeFile(file, specOf('4.18.x'));
  const set = parseSpec(specOf('4.18.x'), file);
  const [, own] = set.drivers;
  if (own === undefined) throw new Error('The spec has two drivers');
  const kernels = [
    '5.14.0-427.50.1.el9_4.x86_64',
    '5.14.0-427.50.1.el9_4.x86_64',
    '5.14.0-427.60.1.el9_4.x86_64',
  ];
  const lock = {
    spec: lockIdentity(set),
    targets: kernels.map((kernel, at) => ({
      ...makeTarget(`4.18.${at}`, kernel, { flavours: ['rt'] }),
      update: { channel: 'stable-4.18', risks: at === 0 ? [] : [RISK] },
    })),
    excluded: [
      { version: parseOpenShiftVersion('4.18.3'), because: 'its driver-toolkit is broken' },
      { version: parseOpenShiftVersion('4.18.9'), because: 'after 4.18.8: not ported' },
    ],
    pins: {
      ice: { type: 'git', url: 'https://git.example.com/ice.git', ref: 'main', commit: COMMIT } as const,
      own: await pinSource(own, set, makeTestIo()),
    },
  };
  await writeFile(join(directory, 'kmodlayer.lock.yaml'), formatLock(lock, directory));
  return set;
}

/** Everything that leads out of the machine fails. */
function ioWithoutNetwork(): TestIo {
  const refuse = (): never => {
    throw new Error('This test reaches no network');
  };
  return makeTestIo({ images: { open: refuse }, web: { get: refuse, open: refuse } });
}

describe('a plan from a lock file', () => {
  it('reaches no network offline', async () => {
    const set = await writeSpecAndLock();
    const io = ioWithoutNetwork();
    const lock = await findLock(set, {}, io, contextOf({ cwd: directory }).context);

    const { plan, excluded, decisions } = await planBuild(set, { lock, isOffline: true }, io);

    expect(plan.compiles.map(({ id }) => id)).toHaveLength(8);
    expect(plan.images.map(({ id }) => id)).toEqual(
      ['4.18.0', '4.18.1', '4.18.2'].map((id) => `${id} x86_64 rhel-9`),
    );
    expect(plan.compiles[0]?.source).toMatchObject({ commit: COMMIT });
    expect(excluded.map(({ version }) => version)).toEqual(['4.18.3', '4.18.9']);
    expect(decisions.isLookedUp).toBe(false);
    // Without the lock file, it would have asked.
    await expect(planBuild(set, { isOffline: true }, io)).rejects.toThrow('no network');
  });

  it.each([
    ['plan', ['plan', '--offline']],
    ['build --dry-run', ['build', '--dry-run', '--force']],
  ])('%s shows what was left out and why, and risks of updates', async (_name, args) => {
    await writeSpecAndLock();

    const table = await runCli(args, { cwd: directory });
    const json = await runCli([...args, '-o', 'json'], { cwd: directory });

    expect(table).toMatchObject({ exitCode: 0, stderr: '' });
    expect(table.stdout).toMatch(/^4\.18\.3 +excluded +its driver-toolkit is broken$/m);
    expect(table.stdout).toMatch(/^4\.18\.9 +excluded +after 4\.18\.8: not ported$/m);
    expect(table.stdout).toContain(
      `risk of update NicStops: ${RISK.message}: into 4.18.1 x86_64 rhel-9, 4.18.2 x86_64 rhel-9: ${RISK.url}\n`,
    );
    expect(table.stdout).toMatch(/, 2 releases excluded\n$/);
    expect(JSON.parse(json.stdout)).toMatchObject({
      summary: { excluded: 2 },
      excluded: [
        { release: '4.18.3', because: 'its driver-toolkit is broken' },
        { release: '4.18.9', because: 'after 4.18.8: not ported' },
      ],
      risks: [{ ...RISK, into: ['4.18.1 x86_64 rhel-9', '4.18.2 x86_64 rhel-9'] }],
    });
  });

  it('says it in release notes as well, and beside a matrix', async () => {
    await writeSpecAndLock();

    const notes = await runCli(['plan', '--offline', '-o', 'markdown'], { cwd: directory });
    const yaml = await runCli(['plan', '--offline', '-o', 'yaml'], { cwd: directory });
    const matrix = await runCli(['plan', '--offline', '-o', 'matrix'], { cwd: directory });

    expect(notes.stdout).toContain('\nLeft out:\n\n- 4.18.3: its driver-toolkit is broken\n- 4.18.9: after');
    expect(notes.stdout).toContain(
      '- risk of update NicStops: NICs \\| of one vendor stop: into 4.18.1 x86_64',
    );
    expect(yaml.stdout).toContain('its driver-toolkit is broken');
    expect(JSON.parse(matrix.stdout)).toMatchObject({ include: [{}, {}, {}, {}] });
    expect(matrix.stderr).toContain('without 4.18.3: its driver-toolkit is broken\n');
    expect(matrix.stderr).toContain('risk of update NicStops');
  });

  it('takes the file that --lock-file names, and refuses that of another spec with exit code 2', async () => {
    await writeSpecAndLock();
    const other = join(directory, 'other.yaml');
    await writeFile(other, specOf('4.17.x'));
    const lockFile = ['--lock-file', 'kmodlayer.lock.yaml'];

    for (const verb of [
      ['plan', '--offline'],
      ['build', '--dry-run', '--force'],
    ]) {
      expect(await runCli([...verb, ...lockFile], { cwd: directory })).toMatchObject({ exitCode: 0 });
      expect(await runCli([...verb, '-f', other, ...lockFile], { cwd: directory })).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('it answers other releases or sources') as string,
      });
      expect(await runCli([...verb, '--lock-file', 'nowhere'], { cwd: directory })).toMatchObject({
        exitCode: 2,
      });
    }
  });

  it('looks everything up with --no-lock', async () => {
    await writeSpecAndLock();

    const { exitCode, stderr } = await runCli(['plan', '--no-lock', '--graph', './nowhere.json'], {
      cwd: directory,
    });

    expect(stderr).toContain('nowhere.json');
    expect(exitCode).not.toBe(0);
  });
});
