import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.ts';
import { STATIC_PASS } from '../../src/verify/report.ts';
import { RUN } from '../compile/requests.ts';
import { runCli, type CliResult } from '../support/cli-process.ts';
import { makeCompileIo } from '../support/compile-io.ts';
import {
  COMMAND,
  modinfo,
  requestFor,
  startCompileWorld,
  streamOf,
  type CompileWorld,
} from '../support/compile-world.ts';
import { judgeWithDepmod, unpackImage } from '../support/merged-root.ts';
import { type Verified, verifiedOf } from '../support/verified.ts';

const STREAM = streamOf('4.18.4');
const K = STREAM.kernelRelease;
/** A kernel of another series: the one of the release before differs by nothing that a module could notice. */
const OTHER = streamOf('4.22.1', 'rhel-10');
const IN_TREE = `/usr/lib/modules/${K}/kernel/drivers/net/dummy.ko.xz`;

let world: CompileWorld;
/** Files `hello/kl_hello.ko` and so on, and the same for another kernel in `other/`. */
let context: string;

beforeAll(async () => {
  world = await startCompileWorld();
  context = join(world.directory, 'context');
  await compileTo('hello', STREAM);
  await compileTo('other', OTHER);
  podman('pull', '--quiet', ...access(), STREAM.osImage);
});

afterAll(async () => {
  await world.stop();
});

async function compileTo(name: string, stream: typeof STREAM): Promise<void> {
  const request = requestFor(world.directory, { ...RUN, command: COMMAND }, {}, { stream });
  const { modules } = await compile(request, makeCompileIo(world.engine));
  mkdirSync(join(context, name), { recursive: true });
  for (const { fileName, bytes } of modules) writeFileSync(join(context, name, fileName), bytes);
}

function access(): readonly string[] {
  return ['--cert-dir', world.registry.certDir, '--authfile', world.registry.authFile];
}

function podman(...args: readonly string[]): string {
  return world.podman(...args);
}

/** Lets podman build an image on the OS image, and gives its name for skopeo and for us. */
function build(name: string, steps: readonly string[], from = STREAM.osImage): string {
  const file = join(context, `${name}.Containerfile`);
  writeFileSync(file, [`FROM ${from}`, ...steps, ''].join('\n'));
  podman(
    'build',
    '--quiet',
    '--isolation',
    'chroot',
    '--network',
    'host',
    '--tag',
    name,
    '--file',
    file,
    context,
  );
  const image = `oci:${join(world.directory, 'images')}:${name}`;
  podman('push', '--quiet', name, image);
  return image;
}

async function run(...args: readonly string[]): Promise<CliResult> {
  const { caFile, authFile } = world.registry;
  return runCli([...args, '--ca-file', caFile, '--authfile', authFile], {
    env: { XDG_CACHE_HOME: join(world.directory, 'cache') },
  });
}

async function verify(...args: readonly string[]): Promise<Verified> {
  return verifiedOf(await run('verify', ...args, '-o', 'json'));
}

async function unpack(image: string, name: string): Promise<string> {
  const to = join(world.directory, 'roots', name);
  await unpackImage({ image, to });
  return to;
}

/** What modprobe would load for a name in a root, or its exit code. */
function showDepends(root: string, name: string): readonly string[] | number {
  const { status, stdout } = spawnSync('modprobe', ['-d', root, '-S', K, '--show-depends', name], {
    encoding: 'utf8',
  });
  return status === 0
    ? stdout
        .trim()
        .split('\n')
        .map((line) => line.split('/').at(-1)?.trim() ?? '')
    : (status ?? -1);
}

const COPY = `COPY hello/*.ko /lib/modules/${K}/extra/hello/`;
const DEPMOD = `RUN depmod -a ${K}`;

describe('verify and lint, of images that podman made', () => {
  it('pass modules that depmod was run for, which depmod and modprobe agree with', async () => {
    const image = build('naive', [COPY, DEPMOD]);

    const verified = await verify(image);

    expect(verified).toMatchObject({ exitCode: 0, findings: [], failures: [] });
    expect(verified.report.targets[0]).toMatchObject({ kernel: K, statement: STATIC_PASS });
    expect(verified.report.targets[0]?.modules.map(({ name }) => name).sort()).toEqual([
      'kl_base',
      'kl_hello',
    ]);
    expect((await run('lint', image)).stdout).toContain('nothing found');
    const root = await unpack(image, 'naive');
    expect((await judgeWithDepmod(root, K)).changed).toEqual([]);
    expect(showDepends(root, 'kl_hello')).toEqual(['kl_base.ko', 'kl_hello.ko']);
  });

  it('find modules that depmod was not run for, and so does modprobe', async () => {
    const image = build('unindexed', [COPY]);

    expect(await verify(image)).toMatchObject({
      exitCode: 1,
      findings: ['error module-not-indexed'],
      failures: ['kl_base dependencies', 'kl_hello dependencies'],
    });
    expect(showDepends(await unpack(image, 'unindexed'), 'kl_hello')).toBe(1);
  });

  it('find that the text of indexes was changed and their binary form was not', async () => {
    const root = await unpack(build('indexed', [COPY, DEPMOD]), 'indexed');
    const indexes = join(context, 'text');
    mkdirSync(indexes);
    for (const name of ['dep', 'alias', 'symbols'])
      cpSync(join(root, `usr/lib/modules/${K}/modules.${name}`), join(indexes, `modules.${name}`));
    const image = build('stale', [COPY, `COPY text/* /usr/lib/modules/${K}/`]);

    const { exitCode, findings, report } = await verify(image);

    expect(exitCode).toBe(1);
    expect(findings).toContain('error bin-differs');
    expect(report.targets[0]?.findings.find(({ rule }) => rule === 'bin-differs')?.message).toContain('kl_');
    expect(showDepends(await unpack(image, 'stale'), 'kl_hello')).toBe(1);
  });

  it('fail modules for another kernel, wherever they stand', async () => {
    const inPlace = build('other', [`COPY other/*.ko /lib/modules/${K}/extra/hello/`, DEPMOD]);
    const beside = build('beside', [`COPY other/*.ko /usr/lib/modules/${OTHER.kernelRelease}/extra/hello/`]);

    const wrong = await verify(inPlace);
    const absent = await verify(beside);

    expect(modinfo('vermagic', join(context, 'other/kl_hello.ko'))).toMatch(`${OTHER.kernelRelease} `);
    expect(wrong).toMatchObject({ exitCode: 1, findings: [] });
    // Both kernels have symbol versions: it is the CRCs that tell them apart, and not the version magic.
    expect(wrong.failures).toEqual(
      expect.arrayContaining(['kl_base module-layout', 'kl_hello module-layout', 'kl_base symbol-crcs']),
    );
    expect(absent).toMatchObject({ exitCode: 1, findings: ['error absent-kernel'] });
  });

  it('take a hotfix that replaces a module of the kernel for what it is', async () => {
    mkdirSync(join(context, 'hotfix'), { recursive: true });
    const mount = podman('image', 'mount', STREAM.osImage).trim();
    cpSync(join(mount, IN_TREE), join(context, 'hotfix/dummy.ko.xz'));
    podman('image', 'unmount', '--all');
    execFileSync('xz', ['-d', join(context, 'hotfix/dummy.ko.xz')]);
    const image = build('hotfix', [
      `RUN rm ${IN_TREE}`,
      `COPY hotfix/dummy.ko /usr/lib/modules/${K}/updates/`,
      DEPMOD,
    ]);
    const without = build('without', [`RUN rm ${IN_TREE}`, COPY, DEPMOD]);
    const inPlace = build('in-place', [`COPY hotfix/dummy.ko /usr/lib/modules/${K}/updates/`, DEPMOD]);

    const removed = await verify(image);
    const overridden = await verify(inPlace);

    expect(await verify(without)).toMatchObject({
      exitCode: 0,
      failures: [],
      findings: ['warning removes-module', 'note index-unchecked'],
    });

    expect(removed).toMatchObject({ exitCode: 0, failures: [], findings: ['note initramfs'] });
    expect(overridden).toMatchObject({ exitCode: 0, failures: [], findings: ['note initramfs'] });
    expect(overridden.report.targets[0]?.overrides).toMatchObject([
      { name: 'dummy', winner: 'updates/dummy.ko', loser: IN_TREE.slice(IN_TREE.indexOf('kernel/')) },
    ]);
    expect((await judgeWithDepmod(await unpack(inPlace, 'in-place'), K)).changed).toEqual([]);
  });

  it('find what a careless build leaves behind', async () => {
    writeFileSync(join(context, 'x.conf'), 'blacklist kl_hello\n');
    const image = build('careless', [
      COPY,
      DEPMOD,
      `RUN mkdir -p /etc/modules-load.d && echo kl_hallo > /etc/modules-load.d/hello.conf`,
      'RUN mkdir -p /opt/vendor /var/lib/vendor && echo x > /opt/vendor/tool && echo x > /var/lib/vendor/state',
      'RUN echo x > /usr/bin/tool && chmod 4755 /usr/bin/tool',
      'COPY --chown=7:7 x.conf /usr/lib/modprobe.d/',
    ]);

    const { findings } = await verify(image);

    expect([...findings].sort()).toEqual([
      'error dropped-path',
      'error loads-unknown-module',
      'note etc-merged',
      'warning blacklists-autoloaded',
      'warning owner',
      'warning setuid',
      'warning var-content',
    ]);
  });

  it('find a second kernel, and the base of an image that was squashed', async () => {
    const second = build('second', [
      `RUN mkdir -p /usr/lib/modules/6.1.0-99-amd64 && cp /usr/lib/modules/${K}/vmlinuz /usr/lib/modules/6.1.0-99-amd64/`,
    ]);
    const squashed = join(world.directory, 'squashed');
    podman(
      'build',
      '--quiet',
      '--isolation',
      'chroot',
      '--network',
      'host',
      '--squash-all',
      '--tag',
      'squashed',
      '--file',
      join(context, 'naive.Containerfile'),
      context,
    );
    podman('push', '--quiet', 'squashed', `oci:${squashed}:squashed`);

    expect((await run('lint', second)).stdout).toMatch(/error two-kernels {2}.*6\.1\.0-99-amd64/);
    const lint = await run('lint', `oci:${squashed}:squashed`);
    expect(lint.exitCode).toBe(1);
    expect(lint.stdout).toMatch(/error final-diffid-dangling/);
    const { exitCode, stdout, stderr } = await run('verify', `oci:${squashed}:squashed`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/hint: Say it with --base IMAGE or --layers N\./);
  });
});

describe('verify and lint, of images that other tools made', () => {
  it('pass what buildah commits', async () => {
    const args = [...['--root', ...podmanRoot()], ...['--runroot', join(dirname(podmanRoot()[0]!), 'run')]];
    const buildah = (...rest: readonly string[]): string =>
      execFileSync('buildah', [...args, ...rest], { encoding: 'utf8' }).trim();
    const container = buildah('from', '--isolation', 'chroot', STREAM.osImage);
    for (const name of ['kl_base.ko', 'kl_hello.ko'])
      buildah(
        'copy',
        '--quiet',
        container,
        join(context, 'hello', name),
        `/usr/lib/modules/${K}/extra/hello/`,
      );
    buildah('run', '--isolation', 'chroot', container, 'depmod', '-a', K);
    const image = `oci:${join(world.directory, 'images')}:buildah`;
    buildah('commit', '--quiet', '--rm', container, image);

    expect(await verify(image)).toMatchObject({ exitCode: 0, findings: [], failures: [] });
  });

  it('find modules that a hand-made layer has in /lib, and that no unpacked image shows', async () => {
    const layout = join(world.directory, 'hand-made');
    execFileSync('skopeo', [
      'copy',
      '--quiet',
      '--src-cert-dir',
      world.registry.certDir,
      '--src-authfile',
      world.registry.authFile,
      `docker://${STREAM.osImage}`,
      `oci:${layout}:base`,
    ]);
    execFileSync('umoci', [
      'insert',
      '--image',
      `${layout}:base`,
      '--tag',
      'lib',
      join(context, 'hello'),
      `/lib/modules/${K}/extra/hello`,
    ]);

    const { exitCode, findings, report } = await verify(`oci:${layout}:lib`);

    expect(exitCode).toBe(1);
    expect(findings).toEqual(['error cut-layer', 'error dropped-path']);
    expect(report.targets[0]?.findings[1]?.message).toContain('kl_base.ko');
    expect(report.targets[0]?.modules).toEqual([]);
  });

  it('prove a kmod image against the OS image that it is loaded on', async () => {
    const opt = join(context, 'opt');
    const directory = join(opt, 'lib/modules', K);
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(join(context, 'hello')))
      cpSync(join(context, 'hello', name), join(directory, name));
    execFileSync('depmod', ['-b', opt, K], { stdio: 'ignore' });
    const image = build('kmod', ['COPY opt /opt'], 'scratch');

    const good = await verify(image, '--base', STREAM.osImage);
    const other = await verify(image, '--base', OTHER.osImage);

    expect(good).toMatchObject({ exitCode: 0, findings: [], failures: [] });
    expect(good.report.targets[0]?.modules.map(({ path }) => path).sort()).toEqual([
      `opt/lib/modules/${K}/kl_base.ko`,
      `opt/lib/modules/${K}/kl_hello.ko`,
    ]);
    expect(other).toMatchObject({ exitCode: 1, findings: ['error absent-kernel'] });
    expect((await run('verify', image)).exitCode).toBe(2);
  });

  it('prove modules against an OS image, and against the tree of a kernel', async () => {
    const files = ['kl_hello.ko', 'kl_base.ko'].map((name) => join(context, 'hello', name));
    const root = join(world.directory, 'roots/naive');

    const onImage = await verify('--base', STREAM.osImage, ...files);
    const onTree = await verify('--base', root, '--kernel', K, ...files);
    const alone = await verify('--base', STREAM.osImage, files[0]!);

    expect(onImage).toMatchObject({ exitCode: 0, failures: [] });
    expect(onTree).toMatchObject({ exitCode: 0, failures: [] });
    expect(alone).toMatchObject({ exitCode: 1, failures: ['kl_hello symbols'] });
  });
});

describe('inspect, of an image that podman made', () => {
  it('shows the changes that podman shows', async () => {
    const image = build('changes', [COPY, DEPMOD, `RUN rm ${IN_TREE} && echo changed > /usr/lib/os-release`]);
    const { stdout } = await run('inspect', image, '--read-base', '-o', 'json');

    const { changes } = (
      JSON.parse(stdout) as {
        image: { changes: { entries: { path: string; change: string; type: string | null }[] } };
      }
    ).image;
    // Files that buildah puts into each container, which podman does not show.
    const injected = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'];
    const ours = changes.entries
      .filter(({ path }) => !injected.includes(path))
      .map(({ path, change }) => `${{ added: 'A', replaced: 'C', removed: 'D' }[change] ?? '?'} /${path}`);
    const directories = new Set(changes.entries.map(({ path }) => dirname(`/${path}`)));
    const theirs = podman('image', 'diff', 'changes', STREAM.osImage)
      .trim()
      .split('\n')
      // A directory that holds a change is one for podman, too.
      .filter((line) => !isParent(line.slice(2), directories));
    expect(ours.sort()).toEqual(theirs.sort());
  });

  it('draws them, with what modules are', async () => {
    const { stdout } = await run('inspect', `oci:${join(world.directory, 'images')}:changes`);

    expect(stdout).toMatch(/the last 3 were added/);
    expect(stdout).toMatch(/[├└]── \+ kl_hello\.ko +[\d.]+ kB {2}kl_hello .*unsigned$/m);
    expect(stdout).toMatch(/[├└]── - dummy\.ko\.xz/);
    expect(stdout).toMatch(/[├└]── ~ modules\.dep\.bin +[\d.]+ kB/);
  });
});

function podmanRoot(): readonly string[] {
  const { globalArguments } = world.options;
  return [globalArguments[globalArguments.indexOf('--root') + 1] ?? ''];
}

function isParent(path: string, directories: ReadonlySet<string>): boolean {
  return [...directories].some((directory) => directory === path || directory.startsWith(`${path}/`));
}
