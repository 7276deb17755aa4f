import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseReference } from '../../src/oci/reference.ts';
import { type CliRun, runCli } from '../support/cli.ts';
import { MemoryImages } from '../support/memory-images.ts';
import { fillRegistry } from '../support/registry-fill.ts';
import { addImage, noise } from '../support/synthetic-image.ts';
import { addRelease } from '../support/synthetic-release.ts';
import { TestRegistry } from '../support/test-registry.ts';

const TRUST = ['--verify-release', 'off'];
const MIRROR_SETS = [
  ...['--idms', 'mirrors/image-digest-mirror-set.yaml'],
  ...['--itms', 'mirrors/image-tag-mirror-set.yaml'],
];

let source: TestRegistry;
let site: TestRegistry;
let cwd = '';
let kmod = '';

beforeEach(async () => {
  [source, site] = await Promise.all([new TestRegistry().listen(), new TestRegistry().listen()]);
  cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  const images = new MemoryImages();
  const at = (path: string) => images.at(parseReference(`${source.host}/${path}`));
  const [releases, components, drivers] = [at('ocp/release'), at('ocp/dev'), at('acme/nic-kmod')];
  await addRelease({ releases, components });
  kmod = await addImage(drivers, { layers: [[{ path: 'opt/a.ko', content: noise(9000) }]] });
  drivers.tag('5.14', kmod as Parameters<typeof drivers.tag>[1]);
  fillRegistry(source, [releases, components, drivers]);
});

afterEach(async () => {
  await Promise.all([source.close(), site.close()]);
  await rm(cwd, { recursive: true, force: true });
});

const cli = (...argv: readonly string[]): Promise<CliRun> => runCli(argv, { cwd });

const insecure = (): readonly string[] => [
  ...['--insecure-registry', source.host],
  ...['--insecure-registry', site.host],
];

function create(...more: readonly string[]): Promise<CliRun> {
  return cli(
    ...['bundle', 'create', '4.18.4', '--release-repository', `${source.host}/ocp/release`],
    ...['--out', 'bundle.tar', ...TRUST, ...insecure(), ...more],
  );
}

function importTo(prefix: string, ...more: readonly string[]): Promise<CliRun> {
  return cli(
    ...['bundle', 'import', 'bundle.tar', '--to', `${site.host}${prefix}`, ...insecure()],
    ...['--manifests', 'mirrors', ...more],
  );
}

const resolveRelease = (...more: readonly string[]): Promise<CliRun> =>
  cli(
    ...['resolve', '4.18.4', '--release-repository', `${source.host}/ocp/release`, '-o', 'json'],
    ...[...TRUST, ...insecure(), ...more],
  );

describe('kmodlayer bundle', () => {
  it('takes a release over: with the mirror sets of the import, it resolves to the same where its source is gone', async () => {
    const before = await resolveRelease();
    const created = await create('--image', `${source.host}/acme/nic-kmod:5.14`);
    await source.close();
    const imported = await importTo('/mirror');
    const after = await resolveRelease(...MIRROR_SETS);

    expect([before, created, imported].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(created.stderr).toMatch(/5 images to oci-archive:bundle\.tar/);
    expect(created.stdout).toMatch(/^bundle\.tar: 5 images, .*kB/);
    expect(imported.stdout).toContain(`${site.host}/mirror/ocp/dev:4.18.4-x86_64-rhel-coreos `);
    expect(imported.stdout).toContain(`${site.host}/mirror/acme/nic-kmod:5.14 `);
    expect([after.exitCode, after.stderr]).toEqual([0, '']);
    expect(JSON.parse(after.stdout)).toEqual(JSON.parse(before.stdout));
    expect([...site.repository('mirror/ocp/dev').tags.keys()].sort()).toEqual([
      '4.18.4-x86_64-driver-toolkit',
      '4.18.4-x86_64-rhel-coreos',
      '4.18.4-x86_64-rhel-coreos-extensions',
    ]);
    const tagSet: unknown = parse(await readFile(join(cwd, 'mirrors/image-tag-mirror-set.yaml'), 'utf8'));
    expect(tagSet).toMatchObject({
      metadata: { name: 'kmodlayer-bundle' },
      spec: {
        imageTagMirrors: ['acme/nic-kmod', 'ocp/release'].map((path) => ({
          source: `${source.host}/${path}`,
          mirrors: [`${site.host}/mirror/${path}`],
        })),
      },
    });
  });

  it('is a layout that "resolve" reads as it is', async () => {
    const before = await resolveRelease();
    await create();
    await source.close();

    const { exitCode, stdout } = await cli(
      ...['resolve', 'oci-archive:bundle.tar:4.18.4-x86_64', '-o', 'json'],
      ...TRUST,
    );

    const osImageOf = (json: string): unknown =>
      (JSON.parse(json) as { targets: { osImage: object }[] }).targets.map(({ osImage }) => ({
        ...osImage,
        location: '',
      }));
    expect(exitCode).toBe(0);
    expect(osImageOf(stdout)).toEqual(osImageOf(before.stdout));
  });

  it('goes by the lock file of a spec, and makes the same archive again', async () => {
    await writeFile(join(cwd, 'a.ko'), 'a');
    await writeFile(
      join(cwd, 'kmodlayer.yaml'),
      `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: a }
targets: { releases: ['4.18.4'], releaseRepository: '${source.host}/ocp/release' }
drivers: [{ name: a, version: '1', source: { files: [a.ko] }, modules: [{ name: a }] }]
publish: { osImage: quay.example.com/acme/a }
`,
    );
    const common = ['-f', 'kmodlayer.yaml', ...TRUST, ...insecure()];
    expect(await cli('lock', ...common)).toMatchObject({ exitCode: 0 });
    source.repository('ocp/release').tags.clear();

    const runs = [
      await cli('bundle', 'create', ...common, '--out', 'a.tar', '-o', 'json'),
      await cli('bundle', 'create', ...common, '--out', 'b.tar', '-o', 'json'),
    ];

    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(JSON.parse(runs[0]?.stdout ?? '')).toMatchObject({
      schema: 'kmodlayer/bundle-create/v1',
      file: 'a.tar',
      images: [{ name: '4.18.4-x86_64', source: `${source.host}/ocp/release` }, {}, {}, {}],
    });
    const descriptions = await Promise.all(
      ['a.tar', 'b.tar'].map(
        async (file) =>
          /"digest":"([^"]+)","size":\d+,"annotations":\{"org.opencontainers.image.ref.name":"kmodlayer-bundle"/.exec(
            (await readFile(join(cwd, file))).toString('latin1'),
          )?.[1],
      ),
    );
    expect(descriptions[0]).toMatch(/^sha256:/);
    expect(descriptions[1]).toBe(descriptions[0]);
  });

  it('goes on where an import was interrupted, and then has nothing to do', async () => {
    await create('--image', `${source.host}/acme/nic-kmod@${kmod}`);
    const path = /\/blobs\/uploads\//;
    site.fail({ method: 'PUT', path, action: { kind: 'status', status: 403 }, times: 1 });
    const broken = await importTo('', '-o', 'json');
    const uploaded = site.count('PUT', path);
    site.clearFaults();

    const second = await importTo('', '-o', 'json');
    const requests = site.count('PUT', /./);
    const third = await importTo('', '-o', 'json');

    expect(broken).toMatchObject({ exitCode: 3, stdout: '' });
    expect(uploaded).toBeGreaterThan(0);
    expect([second.exitCode, third.exitCode]).toEqual([0, 0]);
    expect(site.count('PUT', /./)).toBe(requests);
    const result = JSON.parse(third.stdout) as { images: { wasThere: boolean; mirror: string }[] };
    expect(result).toMatchObject({ schema: 'kmodlayer/bundle-import/v1', signedReleases: [] });
    expect(result.images.every(({ wasThere }) => wasThere)).toBe(true);
    expect(result.images.map(({ mirror }) => mirror)).toContain(`${site.host}/acme/nic-kmod@${kmod}`);
  });

  it('mounts what the registry has in another repository', async () => {
    const layers = source.repository('ocp/dev');
    const copy = source.repository('acme/copy');
    for (const [digest, bytes] of layers.blobs) copy.blobs.set(digest, bytes);
    for (const [digest, manifest] of layers.manifests) copy.manifests.set(digest, manifest);
    const [osImage = ''] = layers.manifests.keys();
    await create('--image', `${source.host}/acme/copy@${osImage}`);

    await importTo('/mirror');

    const ofOsImage = 5;
    // By their names in the archive, the copy is first.
    expect(site.count('POST', /^\/v2\/mirror\/ocp\/dev\/.*from=mirror%2Facme%2Fcopy/)).toBe(ofOsImage);
    expect(site.count('PUT', /^\/v2\/mirror\/acme\/copy\/blobs/)).toBe(ofOsImage);
  });

  it.each([
    ['a flipped bit', (bytes: Buffer) => (bytes[bytes.length >> 1]! ^= 1)],
    ['another description', (bytes: Buffer) => bytes.write('X', bytes.indexOf('kmodlayer/bundle/v1'))],
    ['no description', (bytes: Buffer) => bytes.write('X', bytes.lastIndexOf('kmodlayer-bundle'))],
    ['a broken index', (bytes: Buffer) => bytes.write('X', bytes.lastIndexOf('"schemaVersion"'))],
  ])('refuses an archive with %s', async (_, damage) => {
    await create();
    const bytes = await readFile(join(cwd, 'bundle.tar'));
    damage(bytes);
    await writeFile(join(cwd, 'bundle.tar'), bytes);

    const { exitCode, stderr, stdout } = await importTo('/mirror');

    expect([exitCode, stdout]).toEqual([8, '']);
    expect(stderr).toMatch(/^error: Cannot/m);
  });

  it.each([
    [['create', '--out', 'a.tar'], 2, 'nothing to put into it'],
    [['create', '4.18.4', '--out', 'a:b'], 2, 'colon'],
    [['create', '4.18.4', '-f', 'kmodlayer.yaml', '--out', 'a.tar'], 2, 'the spec says'],
    [['create', '--image', 'oci:dir', '--out', 'a.tar'], 2, 'registries only'],
    [['create', '4.18.4'], 2, '--out'],
    [['import', 'nowhere.tar', '--to', 'registry.example.com'], 8, 'no such file'],
    [['import', 'a:b', '--to', 'registry.example.com'], 2, 'colon'],
    [['import', 'nowhere.tar', '--to', 'registry.example.com', '--name', 'A B'], 2, 'A B'],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await cli('bundle', ...argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });

  it.each([
    ['oci:dir', 2],
    ['registry', 8],
    ['registry.example.com/a:1', 8],
  ])('refuses to import to %s', async (to, expected) => {
    await create();

    const { exitCode, stderr } = await cli('bundle', 'import', 'bundle.tar', '--to', to);

    expect([exitCode, stderr]).toEqual([expected, expect.stringContaining('Cannot')]);
  });
});
