import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { checkBase } from '../../src/kmod/depmod/check-base.ts';
import { parseDepmodConfig, type DepmodConfig } from '../../src/kmod/depmod/config.ts';
import { readIndex } from '../../src/kmod/depmod/index-reader.ts';
import { indexTree, readIndexFormat } from '../../src/kmod/depmod/index-tree.ts';
import { mergeIndexes } from '../../src/kmod/depmod/merge.ts';
import type { AddedModule } from '../../src/kmod/depmod/select-modules.ts';
import type { KernelModule } from '../../src/kmod/module.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { fetchKernel, fetchNewDepmod, type KernelTree } from './depmod-packages.ts';
import { type DependencyTable, ModuleTree, readDependencyTable, RHEL_CONFIG } from './depmod-tree.ts';

/** Random trees that are tried; from a hundred on also on other architectures, and with kmod 34. */
const TRIALS = Number(process.env['DEPMOD_TRIALS'] ?? 24);
const SEED = Number(process.env['DEPMOD_SEED'] ?? Date.now() % 1_000_000);
const IS_LONG = TRIALS >= 100;
const FOREIGN = IS_LONG ? (['arm64', 'ppc64el', 's390x'] as const) : [];

const scratch = mkdtempSync(join(tmpdir(), 'depmod-e2e-'));
let kernel: KernelTree;
let table: DependencyTable;
let tree: ModuleTree;
const depmods = new Map<string, readonly string[]>([['the machine’s kmod', ['depmod']]]);

beforeAll(async () => {
  kernel = await fetchKernel('amd64');
  if (IS_LONG) depmods.set('kmod 34', await fetchNewDepmod());
  [tree, table] = await makeTree(kernel, 'main');
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A tree of all modules of a kernel. */
async function makeTree(from: KernelTree, name: string): Promise<[ModuleTree, DependencyTable]> {
  const paths = execFileSync('find', ['kernel', '-name', '*.ko'], { cwd: from.directory, encoding: 'utf8' });
  const made = new ModuleTree(from, join(scratch, name), paths.trim().split('\n'));
  const indexes = await made.depmod(['depmod'], RHEL_CONFIG);
  return [made, readDependencyTable(indexes.get('modules.dep')?.toString('latin1') ?? '')];
}

function toConfig(text: string): DepmodConfig {
  return parseDepmodConfig([{ directory: 'etc/depmod.d', name: 'dist.conf', text }]);
}

/** Modules that leave a tree, and files that join it: a path, and the module of the kernel that stands there. */
interface Change {
  readonly removed: readonly string[];
  readonly added: ReadonlyMap<string, string>;
}

interface Outcome {
  /** Files in which our result differs from real depmod's. */
  readonly differing: readonly string[];
  readonly needed: readonly string[];
  readonly error: KmodError | undefined;
}

/** Makes the change with real depmod before and after, and with a merge in between. */
async function tryChange(
  on: ModuleTree,
  change: Change,
  { depmod = ['depmod'], config = RHEL_CONFIG }: { depmod?: readonly string[]; config?: string } = {},
): Promise<Outcome> {
  for (const path of change.removed) on.take(path);
  try {
    const base = await on.depmod(depmod, config);
    const added: AddedModule[] = [];
    for (const [path, source] of change.added) {
      on.put(path, source);
      added.push({ path, module: readModule(on.read(path)) });
    }
    const expected = await on.depmod(depmod, config);
    return compare(on, added, { base, expected, config });
  } finally {
    for (const path of change.added.keys()) on.take(path);
    for (const path of change.removed) on.put(path, path);
  }
}

function compare(
  on: ModuleTree,
  added: readonly AddedModule[],
  given: {
    readonly base: ReadonlyMap<string, Buffer>;
    readonly expected: ReadonlyMap<string, Buffer>;
    readonly config: string;
  },
): Outcome {
  const baseModules = new Map<string, KernelModule>();
  const needed: string[] = [];
  const merge = (): ReturnType<typeof mergeIndexes> =>
    mergeIndexes({
      base: given.base,
      added,
      config: toConfig(given.config),
      kernelRelease: on.kernel.kernelRelease,
      baseModules,
    });
  try {
    let result = merge();
    while (result.kind === 'needs-modules') {
      needed.push(...result.paths);
      for (const path of result.paths) baseModules.set(path, readModule(on.read(path)));
      result = merge();
    }
    const files: ReadonlyMap<string, Uint8Array> = result.files;
    const differing = [...given.expected].filter(
      ([name, bytes]) => !bytes.equals(files.get(name) ?? given.base.get(name) ?? Buffer.alloc(0)),
    );
    return { differing: differing.map(([name]) => name), needed, error: undefined };
  } catch (error) {
    if (!(error instanceof KmodError)) throw error;
    return { differing: [], needed, error };
  }
}

const SAME = { differing: [], error: undefined };

/** Path of a module of the kernel by the name of its file. */
function pathOf(file: string): string {
  const found = table.paths.find((path) => basename(path) === file);
  if (found === undefined) throw new Error(`the kernel has no ${file}`);
  return found;
}

/** Modules and all that need them: a tree can do without these. */
function withUsers(paths: readonly string[], from: DependencyTable): readonly string[] {
  return [...new Set(paths.flatMap((path) => [path, ...(from.neededBy.get(path) ?? [])]))];
}

describe('mergeIndexes() against real depmod, on a kernel of four thousand modules', () => {
  it('accepts the indexes that depmod wrote', async () => {
    for (const command of depmods.values()) {
      const base = await tree.depmod(command, RHEL_CONFIG);

      expect(() => {
        checkBase(base);
      }).not.toThrow();
    }
  });

  it('adds a network driver with its aliases, symbols and the module that needs it', async () => {
    const removed = withUsers([pathOf('ice.ko')], table);
    const added = new Map(removed.map((path) => [`extra/ice/${basename(path)}`, path]));

    const outcome = await tryChange(tree, { removed, added });

    expect(removed.length).toBeGreaterThan(1);
    expect(outcome).toEqual({ ...SAME, needed: [] });
  });

  it('overrides modules that many others need', async () => {
    const files = [
      'mc.ko',
      'videodev.ko',
      'usbcore.ko',
      'nf_conntrack.ko',
      'libcrc32c.ko',
      'tun.ko',
      'loop.ko',
    ];
    const added = new Map(files.map((file) => [`updates/${file}`, pathOf(file)]));

    const outcome = await tryChange(tree, { removed: [], added });

    expect(outcome).toMatchObject(SAME);
  });

  it('replaces a file of the base in its place', async () => {
    const path = pathOf('e1000e.ko');
    const base = await tree.depmod(['depmod'], RHEL_CONFIG);

    const outcome = compare(tree, [{ path, module: readModule(tree.read(path)) }], {
      base,
      expected: base,
      config: RHEL_CONFIG,
    });

    expect(outcome).toEqual({ ...SAME, needed: [] });
  });

  it('lets overrides and weak-updates of depmod.d win or lose as depmod does', async () => {
    const config = `${RHEL_CONFIG}override tun 6.1.* weak-updates/tun\nexclude old\n`;
    const added = new Map([
      ['weak-updates/tun/tun.ko', pathOf('tun.ko')],
      ['weak-updates/loop.ko', pathOf('loop.ko')],
      ['extra/old/fuse.ko', pathOf('fuse.ko')],
    ]);

    const outcome = await tryChange(tree, { removed: [], added }, { config });

    expect(outcome).toEqual({ ...SAME, needed: [] });
  });

  it('keeps modules outside of the kernel’s directory, and lets them win or lose as depmod does', async () => {
    const outside = join(scratch, 'outside');
    const config = `search updates external built-in\nexternal * ${outside}\n`;
    mkdirSync(outside);
    for (const file of ['tun.ko', 'loop.ko', 'crc16.ko']) {
      copyFileSync(join(kernel.directory, pathOf(file)), join(outside, file));
    }
    const added = new Map([
      ['updates/tun.ko', pathOf('tun.ko')],
      ['kernel/lib/new/fuse.ko', pathOf('fuse.ko')],
    ]);

    const outcome = await tryChange(
      tree,
      { removed: withUsers([pathOf('fuse.ko')], table), added },
      { config },
    );

    expect(outcome).toEqual({ ...SAME, needed: [] });
  });

  it('writes lines that end in .ko.xz for compressed modules', async () => {
    const seeds = ['r8169.ko', 'xt_set.ko', 'vhost_net.ko', 'snd-hda-intel.ko'].map(pathOf);
    const paths = [...new Set(seeds.flatMap((path) => [path, ...(table.needs.get(path) ?? [])]))];
    const small = new ModuleTree(kernel, join(scratch, 'xz'), []);
    const compress = (path: string): void => {
      const input = join(kernel.directory, path);
      small.write(
        `${path}.xz`,
        execFileSync('xz', ['--check=crc32', '-0', '-c', input], { maxBuffer: 2 ** 26 }),
      );
    };
    paths.slice(seeds.length).forEach(compress);
    const base = await small.depmod(['depmod'], RHEL_CONFIG);
    paths.slice(0, seeds.length).forEach(compress);
    const expected = await small.depmod(['depmod'], RHEL_CONFIG);
    const added = paths
      .slice(0, seeds.length)
      .map((path) => ({ path: `${path}.xz`, module: readModule(tree.read(path)) }));

    const outcome = compare(small, added, { base, expected, config: RHEL_CONFIG });

    expect(expected.get('modules.dep')?.toString()).toContain('.ko.xz');
    expect(outcome).toMatchObject(SAME);
  });
});

/** Numbers from 0 to 1 that come again for the same seed. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Kind = 'add' | 'override' | 'swap' | 'mixed';
const KINDS: readonly Kind[] = ['add', 'override', 'swap', 'mixed'];

/** Modules that a driver might bring anew, in place of others, or with other content. */
function makeChange(
  kind: Kind,
  random: () => number,
  from: DependencyTable,
  exporting: ReadonlySet<string>,
): Change {
  const pick = (paths: readonly string[]): string => paths[Math.floor(random() * paths.length)] ?? '';
  const removed = new Set<string>();
  const added = new Map<string, string>();
  if (kind === 'add' || kind === 'mixed') {
    const wanted = 1 + Math.floor(random() ** 2 * 60);
    while (removed.size < wanted) {
      const users = withUsers([pick(from.paths)], from);
      if (users.length <= 200) for (const path of users) removed.add(path);
    }
    for (const path of removed)
      added.set(`${pick(['extra', 'extra/sub', 'updates/dkms'])}/${basename(path)}`, path);
  }
  if (kind !== 'add') {
    for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
      const target = pick(from.paths);
      if (removed.has(target)) continue;
      const quiet = from.paths.filter((path) => !exporting.has(path) && !removed.has(path));
      added.set(`updates/${basename(target)}`, kind === 'swap' ? pick(quiet) : target);
    }
  }
  return { removed: [...removed], added };
}

async function tryRandomChanges(on: ModuleTree, from: DependencyTable, trials: number): Promise<void> {
  const exporting = new Set<string>();
  const symbols = (await on.depmod(['depmod'], RHEL_CONFIG)).get('modules.symbols')?.toString('latin1') ?? '';
  const owners = new Set(symbols.split('\n').map((line) => line.split(' ')[2]));
  for (const path of from.paths) {
    if (owners.has(basename(path, '.ko').replaceAll('-', '_'))) exporting.add(path);
  }
  const commands = [...depmods.values()];
  let needing = 0;
  for (let trial = 0; trial < trials; trial++) {
    const kind = KINDS[trial % KINDS.length] ?? 'add';
    const change = makeChange(kind, makeRandom(SEED + trial), from, exporting);
    const depmod = commands[Math.floor(trial / KINDS.length) % commands.length] ?? ['depmod'];

    const outcome = await tryChange(on, change, { depmod });

    needing += outcome.needed.length > 0 ? 1 : 0;
    const label = `seed ${SEED}, trial ${trial} (${kind}): ${[...change.added].join(' ')}`;
    expect(outcome, label).toMatchObject(SAME);
  }
  console.log(`${trials} random trees from seed ${SEED}: ${needing} needed modules of the base`);
}

describe('mergeIndexes() against real depmod, on random trees', () => {
  it(`gives the same bytes for ${TRIALS} of them`, async () => {
    await tryRandomChanges(tree, table, TRIALS);
    for (const arch of FOREIGN) {
      const [foreign, foreignTable] = await makeTree(await fetchKernel(arch), arch);
      await tryRandomChanges(foreign, foreignTable, Math.ceil(TRIALS / 10));
    }
  }, 36_000_000);
});

describe('indexTree() against real depmod', () => {
  it('computes every file of a whole kernel from its modules', async () => {
    const modules = table.paths.map((path) => ({ path, module: readModule(tree.read(path)) }));
    for (const command of depmods.values()) {
      const expected = await tree.depmod(command, RHEL_CONFIG);

      const { files } = indexTree({
        modules,
        config: toConfig(RHEL_CONFIG),
        kernelRelease: kernel.kernelRelease,
        format: readIndexFormat(expected),
        order: expected.get('modules.order'),
        builtin: expected.get('modules.builtin'),
        builtinModinfo: expected.get('modules.builtin.modinfo'),
      });

      const written = [...expected].filter(([name]) => files.has(name));
      const differing = written.filter(([name, bytes]) => !bytes.equals(files.get(name) ?? Buffer.alloc(0)));
      expect(differing.map(([name]) => name)).toEqual([]);
      expect(written.length).toBeGreaterThanOrEqual(10);
    }
  });
});

describe('readIndex()', () => {
  it('finds in the binary index what the text says', async () => {
    for (const command of depmods.values()) {
      const files = await tree.depmod(command, RHEL_CONFIG);
      const lines = files.get('modules.symbols')?.toString('latin1').split('\n').slice(1, -1) ?? [];

      const entries = readIndex(files.get('modules.symbols.bin') ?? Buffer.alloc(0));

      const actual = entries.map(({ key, value }) => `alias ${key} ${value}`);
      expect(actual.sort()).toEqual(lines.sort());
    }
  });
});
