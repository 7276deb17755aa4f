import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { makeKmmModule } from '../../../src/manifests/kmm-module.ts';
import { makeImageDigestMirrorSet, makeImageTagMirrorSet } from '../../../src/manifests/mirror-set.ts';
import { makePinnedImageSet } from '../../../src/manifests/pinned-image-set.ts';
import { type CliRun, runCli } from '../../support/cli.ts';
import { SPEC } from './spec.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const IMAGE = `quay.io/acme/ice@${DIGEST}`;
let cwd = '';

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  await writeFile(join(cwd, 'kmodlayer.yaml'), SPEC);
  await writeFile(
    join(cwd, 'pins.yaml'),
    SPEC.replace('{ name: gnss }', "{ name: gnss, parameters: { a: '1' } }"),
  );
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

const machineConfig = (...argv: readonly string[]): Promise<CliRun> =>
  runCli(['machine-config', ...argv], { cwd });

const documents = (yaml: string): readonly unknown[] =>
  parseAllDocuments(yaml).map((document) => document.toJS() as unknown);

describe('kmodlayer machine-config pinned-images', () => {
  it('prints one for each pool of a spec', async () => {
    const { exitCode, stdout } = await machineConfig(
      ...['pinned-images', '-f', 'kmodlayer.yaml', '--image', IMAGE],
    );

    expect(exitCode).toBe(0);
    expect(documents(stdout)).toEqual(
      ['worker', 'worker-rt'].map((pool) =>
        makePinnedImageSet({ name: `${pool}-nic`, pool, images: [IMAGE] }),
      ),
    );
  });

  it.each([
    [['-f', 'kmodlayer.yaml'], '--image'],
    [['-f', 'kmodlayer.yaml', '--image', IMAGE, '--pool', 'worker'], '--pool'],
  ])('refuses %j, naming %s', async (argv, flag) => {
    const { exitCode, stderr } = await machineConfig('pinned-images', ...argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(flag);
  });

  it('prints what the library makes of the same options', async () => {
    const { exitCode, stdout } = await machineConfig(
      ...['pinned-images', '--name', 'ice', '--pool', 'worker', '--image', IMAGE],
    );

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(makePinnedImageSet({ name: 'ice', pool: 'worker', images: [IMAGE] }));
  });

  it('refuses a tag', async () => {
    const { exitCode, stderr } = await machineConfig(
      ...['pinned-images', '--name', 'ice', '--pool', 'worker', '--image', 'quay.io/acme/ice:1'],
    );

    expect(exitCode).toBe(2);
    expect(stderr).toContain('--image');
  });
});

describe('kmodlayer machine-config mirror-set', () => {
  it.each([
    ['tag', makeImageTagMirrorSet],
    ['digest', makeImageDigestMirrorSet],
  ] as const)('prints mirrors for pulls by %s', async (pulls, make) => {
    const { exitCode, stdout } = await machineConfig(
      ...['mirror-set', '--name', 'acme', '--pulls', pulls, '--never-contact-source'],
      ...['--mirror', 'quay.io/acme=r.example.com/a', '--mirror', 'quay.io/acme=r.example.com/b'],
    );

    expect(exitCode).toBe(0);
    const mirrors = ['r.example.com/a', 'r.example.com/b'];
    expect(parse(stdout)).toEqual(
      make({ name: 'acme', mirrors: [{ source: 'quay.io/acme', mirrors, contactSource: false }] }),
    );
  });

  it('mirrors the repositories of a spec as nodes name them', async () => {
    const { stdout } = await machineConfig('mirror-set', '-f', 'kmodlayer.yaml', '--to', 'r.example.com/m');

    const os = { source: 'quay.example.com/acme/rhcos-nic', mirrors: ['r.example.com/m/acme/rhcos-nic'] };
    const kmod = { source: 'quay.example.com/acme/nic-kmod', mirrors: ['r.example.com/m/acme/nic-kmod'] };
    expect(documents(stdout)).toEqual([
      makeImageDigestMirrorSet({ name: 'nic', mirrors: [os, kmod] }),
      makeImageTagMirrorSet({ name: 'nic', mirrors: [kmod] }),
    ]);
  });

  it.each([
    [['mirror-set', '--name', 'a', '--mirror', 'quay.io=r.example.com'], '--pulls'],
    [['mirror-set', '--name', 'a', '--pulls', 'tag'], '--mirror'],
    [['mirror-set', '--name', 'a', '--pulls', 'tag', '--mirror', 'quay.io'], '--mirror'],
    [['mirror-set', '-f', 'kmodlayer.yaml'], '--to'],
    [['mirror-set', '-f', 'kmodlayer.yaml', '--to', 'a b'], '--to'],
  ])('refuses %j', async (argv, text) => {
    const { exitCode, stderr } = await machineConfig(...argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });
});

describe('kmodlayer machine-config module', () => {
  it('prints what the library makes of the same options, and says which label a version needs', async () => {
    const { exitCode, stdout, stderr } = await machineConfig(
      ...[
        'module',
        '--name',
        'ice',
        '--namespace',
        'kmm',
        '--node-selector',
        'node-role.kubernetes.io/worker=',
      ],
      ...['--image', `5.14.0-1.el9.x86_64=${IMAGE}`, '--module', 'ice', '--remove-in-tree', 'irdma,ice'],
      ...['--parameter', 'debug=a=b', '--load-first', 'gnss', '--module-version', '1.14'],
      ...['--firmware', '/fw', '--directory', '/mods', '--image-pull-secret', 'pull'],
    );

    expect(exitCode).toBe(0);
    expect(parse(stdout)).toEqual(
      makeKmmModule({
        name: 'ice',
        namespace: 'kmm',
        nodeSelector: { 'node-role.kubernetes.io/worker': '' },
        image: { '5.14.0-1.el9.x86_64': IMAGE },
        module: 'ice',
        replaces: ['irdma', 'ice'],
        parameters: { debug: 'a=b' },
        loadFirst: ['gnss'],
        version: '1.14',
        firmware: '/fw',
        directory: '/mods',
        imagePullSecret: 'pull',
      }),
    );
    expect(stderr).toContain(
      'oc label node -l node-role.kubernetes.io/worker= kmm.node.kubernetes.io/version-module.kmm.ice=1.14',
    );
  });

  it('takes over what Day 1 of a spec loads, and loads the rest', async () => {
    const { exitCode, stdout } = await machineConfig(
      ...['module', '-f', 'kmodlayer.yaml', '--namespace', 'kmm', '-o', 'json'],
    );

    expect(exitCode).toBe(0);
    const common = { namespace: 'kmm', image: 'quay.example.com/acme/nic-kmod' };
    const ice = {
      ...common,
      module: 'ice',
      loadFirst: ['gnss'],
      parameters: { debug: '1' },
      replaces: ['irdma', 'ice', 'gnss'],
      firmware: '/firmware',
    };
    const { items } = JSON.parse(stdout) as { readonly items: readonly unknown[] };
    expect(items).toEqual(
      [ice, { ...common, module: 'b' }].flatMap((options) =>
        ['worker', 'worker-rt'].map((pool) =>
          makeKmmModule({
            ...options,
            name: `${options.module}-${pool}`,
            nodeSelector: { [`node-role.kubernetes.io/${pool}`]: '' },
          }),
        ),
      ),
    );
  });

  it.each([
    [['module'], '--namespace'],
    [['module', '-f', 'kmodlayer.yaml'], '--namespace'],
    [['module', '-f', 'kmodlayer.yaml', '--namespace', 'kmm', '--module', 'x'], '--module with --file'],
    [['module', '-f', 'pins.yaml', '--namespace', 'kmm'], 'parameters'],
  ])('refuses %j', async (argv, text) => {
    const { exitCode, stderr } = await machineConfig(...argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
  });
});
