import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { packModule } from './depmod-made-file.ts';
import { DEPMOD_CACHE, fetchKernel, fetchKmod34, KMOD_30, type RealDepmod } from './depmod-packages.ts';
import { BUILD_FILES, ModuleTree, RHEL_CONFIG } from './depmod-tree.ts';
import { type KernelModules, pathOf, readKernel, withNeeds } from './kernel-modules.ts';

mkdirSync(DEPMOD_CACHE, { recursive: true });
const scratch = mkdtempSync(join(DEPMOD_CACHE, 'cli-'));
let from: KernelModules;
let kernel = '';

beforeAll(async () => {
  from = await readKernel(await fetchKernel('amd64'), scratch);
  kernel = from.kernel.kernelRelease;
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A tree of some drivers and what they need: plain, compressed, and as links. */
function makeTree(name: string): ModuleTree {
  const tree = new ModuleTree(join(scratch, name), kernel);
  const seeds = ['ice.ko', 'r8169.ko', 'nft_masq.ko', 'vhost_net.ko'].map((file) => pathOf(from, file));
  for (const [at, path] of withNeeds(seeds, from.table).entries()) {
    const suffix = ['', '', '.xz', '.zst'][at % 4] ?? '';
    if (suffix === '') tree.link(path, from.fileOf(path));
    else tree.write(path + suffix, packModule(readFileSync(from.fileOf(path)), suffix));
  }
  for (const file of BUILD_FILES) tree.write(file, from.buildFile(file));
  tree.link('updates/loop.ko', from.fileOf(pathOf(from, 'loop.ko')));
  tree.link('build/never.ko', from.fileOf(pathOf(from, 'loop.ko')));
  mkdirSync(join(tree.directory, 'weak-updates'));
  symlinkSync(from.fileOf(pathOf(from, 'tun.ko')), join(tree.directory, 'weak-updates/tun.ko'));
  symlinkSync('/nowhere/dead.ko', join(tree.directory, 'weak-updates/dead.ko'));
  symlinkSync(join(from.kernel.directory, 'kernel/fs/fuse'), join(tree.directory, 'linked'));
  return tree;
}

/** Below a link no search directory tells two files of one module apart. */
function makeHost(name: string): ModuleTree {
  const tree = makeTree(name);
  tree.take('weak-updates/tun.ko');
  return tree;
}

async function depmod(...argv: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runCli(['depmod', '--kernel', kernel, ...argv], { cwd: scratch });
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
}

/** Every file that real depmod wrote must be in the directory, byte for byte, and no other. */
function expectSame(out: string, expected: ReadonlyMap<string, Buffer> | undefined): void {
  const written = [...(expected ?? [])].filter(([name]) => !BUILD_FILES.includes(name));
  expect(written.length).toBeGreaterThan(9);
  expect(readdirSync(out).sort()).toEqual(written.map(([name]) => name).sort());
  for (const [name, bytes] of written) expect(readFileSync(join(out, name)).equals(bytes), name).toBe(true);
}

describe('kmodlayer depmod --full', () => {
  it('writes what depmod -a writes, in the layout of the depmod that was there before', async () => {
    const depmods: readonly RealDepmod[] = [KMOD_30, await fetchKmod34()];
    for (const real of depmods) {
      const tree = makeTree(real.name.replace(' ', '-'));
      const expected = await tree.depmod(real, RHEL_CONFIG);
      const root = join(tree.directory, '../../..');
      const out = join(scratch, `out-${real.version}`);

      await depmod('--full', '--base', root, '-C', join(root, 'depmod.d'), '--out', out);

      expect(expected?.get('modules.dep')?.toString()).toContain('linked/');
      expectSame(out, expected);
    }
  });

  it('mends indexes that are damaged', async () => {
    const tree = makeTree('damaged');
    const expected = await tree.depmod(KMOD_30, RHEL_CONFIG);
    tree.write('modules.dep', Buffer.from('nonsense\n'));
    tree.write('modules.symbols.bin', Buffer.from('nonsense'));
    const out = join(scratch, 'out-damaged');

    const merged = await runCli(
      [
        'depmod',
        '--base',
        tree.directory,
        '--kernel',
        kernel,
        '--add',
        from.fileOf(pathOf(from, 'fuse.ko')),
        '--out',
        out,
      ],
      { cwd: scratch },
    );
    await depmod('--full', '--base', tree.directory, '--out', out);

    expect(merged.exitCode).toBe(6);
    expect(merged.stderr).toContain('--full');
    expectSame(out, expected);
  });

  it('indexes what a kmod image holds for KMM, alone or with a link to the modules of the host', async () => {
    for (const hasHost of [false, true]) {
      const root = join(scratch, `opt-${hasHost}`);
      const tree = new ModuleTree(root, kernel);
      for (const file of ['ice.ko', 'irdma.ko']) tree.link(file, from.fileOf(pathOf(from, file)));
      if (hasHost) symlinkSync(makeHost('host').directory, join(tree.directory, 'host'));
      if (hasHost) rmSync(join(tree.directory, 'ice.ko'));
      const expected = await tree.depmod(KMOD_30, RHEL_CONFIG);
      const out = join(scratch, `out-opt-${hasHost}`);
      for (const name of expected?.keys() ?? []) tree.take(name);

      await depmod('--full', '--base', root, '-C', join(root, 'depmod.d'), '--out', out);

      const text = expected?.get('modules.dep')?.toString() ?? '';
      expect(text).toContain(hasHost ? 'irdma.ko: host/kernel/' : 'irdma.ko: ice.ko');
      expectSame(out, expected);
    }
  });
});

describe('kmodlayer depmod into what KMM has', () => {
  it('merges below /opt, where the host’s modules are behind a link', async () => {
    const root = join(scratch, 'opt-merge');
    const tree = new ModuleTree(root, kernel);
    symlinkSync(makeHost('merge-host').directory, join(tree.directory, 'host'));
    tree.link('first.ko', from.fileOf(pathOf(from, 'uhid.ko')));
    const base = await tree.depmod(KMOD_30, RHEL_CONFIG);
    const file = from.fileOf(pathOf(from, 'irdma.ko'));
    const out = join(scratch, 'out-merge');

    await depmod('--base', root, '-C', join(root, 'depmod.d'), '--add', `${file}:irdma.ko`, '--out', out);

    tree.link('irdma.ko', file);
    const expected = await tree.depmod(KMOD_30, RHEL_CONFIG);
    for (const [name, bytes] of expected ?? []) {
      const changed = readdirSync(out).includes(name) ? readFileSync(join(out, name)) : base?.get(name);
      expect(changed?.equals(bytes), name).toBe(true);
    }
    expect(readdirSync(out)).toContain('modules.dep');
  });
});
