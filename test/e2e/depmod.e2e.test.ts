import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkBase } from '../../src/kmod/depmod/check-base.ts';
import { parseDepmodConfig, type DepmodConfig } from '../../src/kmod/depmod/config.ts';
import { readIndex } from '../../src/kmod/depmod/index-reader.ts';
import { readIndexFormat } from '../../src/kmod/depmod/index-tree.ts';
import { packModule } from './depmod-made-file.ts';
import { mergeOutcome, type Outcome, SAME, treeOutcome } from './depmod-outcome.ts';
import {
  DEPMOD_CACHE,
  fetchBigEndianKmod,
  fetchKernel,
  fetchKmod28,
  fetchKmod34,
  KMOD_30,
  type RealDepmod,
} from './depmod-packages.ts';
import { BUILD_FILES, type ConfigFiles, ModuleTree, RHEL_CONFIG, RHEL_SEARCH } from './depmod-tree.ts';
import { type KernelModules, pathOf, readKernel, withNeeds, withUsers } from './kernel-modules.ts';

mkdirSync(DEPMOD_CACHE, { recursive: true });
const scratch = mkdtempSync(join(DEPMOD_CACHE, 'named-'));
let from: KernelModules;
let tree: ModuleTree;
const depmods: RealDepmod[] = [KMOD_30];

beforeAll(async () => {
  depmods.push(await fetchKmod34(), await fetchKmod28());
  from = await readKernel(await fetchKernel('amd64'), scratch);
  tree = makeTree('whole', from.table.paths);
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function makeTree(name: string, paths: readonly string[]): ModuleTree {
  const made = new ModuleTree(join(scratch, name), from.kernel.kernelRelease);
  for (const path of paths) made.link(path, from.fileOf(path));
  for (const file of BUILD_FILES) made.write(file, from.buildFile(file));
  return made;
}

function toConfig(files: ConfigFiles): DepmodConfig {
  return parseDepmodConfig([...files].map(([name, text]) => ({ directory: 'etc/depmod.d', name, text })));
}

function search(text: string): ConfigFiles {
  return new Map([['dist.conf', text]]);
}

/** Indexes by real depmod, which must not fail. */
async function indexesOf(
  on: ModuleTree,
  depmod: RealDepmod,
  config: ConfigFiles,
): Promise<ReadonlyMap<string, Buffer>> {
  const indexes = await on.depmod(depmod, config);
  if (indexes === undefined) throw new Error(`${depmod.name} failed`);
  return indexes;
}

/** Modules that leave a tree, and files that join it: a path, and the module of the kernel that stands there. */
interface Change {
  readonly removed?: readonly string[];
  readonly added: ReadonlyMap<string, string>;
}

/** Makes the change with real depmod before and after, and with a merge in between. */
async function tryChange(
  on: ModuleTree,
  { removed = [], added }: Change,
  { depmod = KMOD_30, config = RHEL_CONFIG }: { depmod?: RealDepmod; config?: ConfigFiles } = {},
): Promise<Outcome> {
  for (const path of removed) on.take(path);
  try {
    const base = await indexesOf(on, depmod, config);
    for (const [path, source] of added) on.link(path, from.fileOf(source));
    const expected = await indexesOf(on, depmod, config);
    return merge(base, { added, expected, config });
  } finally {
    for (const path of added.keys()) on.take(path);
    for (const path of removed) on.link(path, from.fileOf(path));
  }
}

function merge(
  base: ReadonlyMap<string, Buffer>,
  given: {
    readonly added: ReadonlyMap<string, string>;
    readonly expected: ReadonlyMap<string, Buffer>;
    readonly config: ConfigFiles;
  },
): Outcome {
  return mergeOutcome(
    {
      base,
      added: [...given.added].map(([path, source]) => ({ path, module: from.read(source) })),
      config: toConfig(given.config),
      kernelRelease: from.kernel.kernelRelease,
    },
    given.expected,
    (path) => from.read(path.replace(/\.(?:xz|zst)$/, '')),
  );
}

describe('mergeIndexes() against real depmod, on a kernel of four thousand modules', () => {
  it('accepts the indexes that depmod wrote', async () => {
    for (const depmod of depmods) {
      const base = await indexesOf(tree, depmod, RHEL_CONFIG);

      expect(() => {
        checkBase(base);
      }, depmod.name).not.toThrow();
    }
  });

  it('adds a network driver with its aliases, symbols and the module that needs it', async () => {
    const removed = withUsers([pathOf(from, 'ice.ko')], from.table);
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
    const added = new Map(files.map((file) => [`updates/${file}`, pathOf(from, file)]));

    expect(await tryChange(tree, { added })).toMatchObject(SAME);
  });

  it('reads those that need a module whose replacement exports nothing', async () => {
    const added = new Map([['updates/nf_conntrack.ko', pathOf(from, 'loop.ko')]]);

    const outcome = await tryChange(tree, { added });

    expect(outcome).toMatchObject(SAME);
    expect(outcome.needed).toEqual(
      expect.arrayContaining([...(from.table.neededBy.get(pathOf(from, 'nf_conntrack.ko')) ?? [])]),
    );
  });

  it('replaces a file of the base in its place', async () => {
    const path = pathOf(from, 'e1000e.ko');
    const base = await indexesOf(tree, KMOD_30, RHEL_CONFIG);

    const outcome = merge(base, { added: new Map([[path, path]]), expected: base, config: RHEL_CONFIG });

    expect(outcome).toEqual({ ...SAME, needed: [] });
  });

  it('lets overrides and weak-updates of depmod.d win or lose as depmod does', async () => {
    const config = search(
      `${RHEL_SEARCH}override tun 6.1.* weak-updates/tun\nexclude old\nmake_map_files yes\n`,
    );
    const added = new Map([
      ['weak-updates/tun/tun.ko', pathOf(from, 'tun.ko')],
      ['weak-updates/loop.ko', pathOf(from, 'loop.ko')],
      ['extra/old/fuse.ko', pathOf(from, 'fuse.ko')],
    ]);

    expect(await tryChange(tree, { added }, { config })).toEqual({ ...SAME, needed: [] });
  });

  it.each(['updates external built-in', 'updates built-in external', 'external updates built-in'])(
    'keeps modules outside of the kernel’s directory, and lets them win or lose as depmod does: search %s',
    async (order) => {
      const outside = join(scratch, 'outside');
      const config = search(`search ${order}\nexternal * ${outside}\n`);
      mkdirSync(outside, { recursive: true });
      for (const file of ['tun.ko', 'loop.ko', 'crc16.ko']) {
        copyFileSync(from.fileOf(pathOf(from, file)), join(outside, file));
      }
      const removed = withUsers([pathOf(from, 'fuse.ko')], from.table);
      const added = new Map([
        ['updates/tun.ko', pathOf(from, 'tun.ko')],
        ['kernel/lib/new/fuse.ko', pathOf(from, 'fuse.ko')],
      ]);

      expect(await tryChange(tree, { removed, added }, { config })).toEqual({ ...SAME, needed: [] });
    },
  );

  it('refuses an exclude line that the base’s indexes were not made by', async () => {
    const base = await indexesOf(tree, KMOD_30, RHEL_CONFIG);

    const outcome = merge(base, {
      added: new Map([['extra/tun.ko', pathOf(from, 'tun.ko')]]),
      expected: base,
      config: search(`${RHEL_SEARCH}exclude drivers\n`),
    });

    expect(outcome.error).toMatchObject({ code: 'INDEX_UNSUPPORTED' });
  });

  it('writes lines that end in .ko.xz and .ko.zst for compressed modules', async () => {
    const seeds = ['r8169.ko', 'xt_set.ko', 'vhost_net.ko', 'snd-hda-intel.ko'].map((file) =>
      pathOf(from, file),
    );
    const small = makeTree('compressed', []);
    const compress = (path: string, suffix: string): void => {
      small.write(path + suffix, packModule(readFileSync(from.fileOf(path)), suffix));
    };
    const others = withNeeds(seeds, from.table).filter((path) => !seeds.includes(path));
    for (const [at, path] of others.entries()) compress(path, at % 3 === 0 ? '.zst' : '.xz');
    const base = await indexesOf(small, KMOD_30, RHEL_CONFIG);
    for (const path of seeds) compress(path, '.xz');
    const expected = await indexesOf(small, KMOD_30, RHEL_CONFIG);

    const added = new Map(seeds.map((path) => [`${path}.xz`, path]));
    const outcome = merge(base, { added, expected, config: RHEL_CONFIG });

    expect(expected.get('modules.dep')?.toString()).toMatch(/\.ko\.xz: .*\.ko\.zst/);
    expect(outcome).toMatchObject(SAME);
  });

  it('takes links to modules of another kernel for files, as weak-updates has them', async () => {
    const small = makeTree('linked', withNeeds([pathOf(from, 'r8169.ko')], from.table));
    const tun = pathOf(from, 'tun.ko');
    mkdirSync(join(small.directory, 'weak-updates'));
    symlinkSync(from.fileOf(tun), join(small.directory, 'weak-updates/tun.ko'));

    const outcome = await tryChange(small, { added: new Map([['extra/loop.ko', pathOf(from, 'loop.ko')]]) });

    expect(small.read('modules.dep').toString()).toContain('weak-updates/tun.ko:\n');
    expect(outcome).toEqual({ ...SAME, needed: [] });
  });
});

describe('what mergeIndexes() refuses', () => {
  // The newest file comes first there, so that the order of creation is the order of reading.
  const memory = '/dev/shm';

  it.each([
    ['two directories of one priority', 'extra/a/tun.ko', 'extra/b/tun.ko'],
    ['two compressions of one module', 'extra/tun.ko', 'extra/tun.ko.xz'],
    ['two directories that no search line names', 'kernel/x/tun.ko', 'kernel/y/tun.ko'],
  ])('is decided by the file system alone: %s', async (_what, first, second) => {
    if (!existsSync(memory)) throw new Error(`${memory} is needed`);
    const root = mkdtempSync(join(memory, 'depmod-order-'));
    try {
      const dependencies = [];
      for (const [at, paths] of [
        [first, second],
        [second, first],
      ].entries()) {
        const made = new ModuleTree(join(root, String(at)), from.kernel.kernelRelease);
        for (const path of paths) {
          made.write(
            path,
            packModule(readFileSync(from.fileOf(pathOf(from, 'tun.ko'))), path.replace(/.*\.ko/, '')),
          );
        }
        dependencies.push((await indexesOf(made, KMOD_30, RHEL_CONFIG)).get('modules.dep')?.toString());
      }
      const base = await indexesOf(tree, KMOD_30, RHEL_CONFIG);
      const added = new Map([first, second].map((path) => [path, pathOf(from, 'tun.ko')]));

      const { error } = merge(base, { added, expected: base, config: RHEL_CONFIG });

      expect(dependencies[0]).not.toBe(dependencies[1]);
      expect(error).toMatchObject({ code: 'DUPLICATE_MODULE' });
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('indexTree() against real depmod', () => {
  it('computes every file of a whole kernel from its modules', async () => {
    for (const depmod of depmods) {
      const expected = await indexesOf(tree, depmod, RHEL_CONFIG);

      const outcome = treeOutcome(
        {
          modules: from.table.paths.map((path) => ({ path, module: from.read(path) })),
          config: toConfig(RHEL_CONFIG),
          kernelRelease: from.kernel.kernelRelease,
          format: readIndexFormat(expected),
          files: expected,
        },
        expected,
      );

      expect(outcome, depmod.name).toEqual({ ...SAME, needed: [] });
      expect(expected.size).toBeGreaterThanOrEqual(12);
    }
  });

  it('computes those of a whole kernel of s390x as that machine does', async () => {
    const other = await readKernel(await fetchKernel('s390x'), scratch);
    const made = new ModuleTree(join(scratch, 's390x'), other.kernel.kernelRelease);
    for (const path of other.table.paths) made.link(path, other.fileOf(path));
    for (const file of BUILD_FILES) made.write(file, other.buildFile(file));
    const expected = await indexesOf(made, await fetchBigEndianKmod(), RHEL_CONFIG);
    const format = readIndexFormat(expected, 'big');

    const outcome = treeOutcome(
      {
        modules: other.table.paths.map((path) => ({ path, module: other.read(path) })),
        config: toConfig(RHEL_CONFIG),
        kernelRelease: other.kernel.kernelRelease,
        ...{ format, files: expected },
      },
      expected,
    );

    expect(format.byteOrder).toBe('big');
    expect(outcome).toEqual({ ...SAME, needed: [] });
  });
});

describe('readIndex()', () => {
  it('finds in the binary index what the text says', async () => {
    for (const depmod of depmods) {
      const files = await indexesOf(tree, depmod, RHEL_CONFIG);
      const lines = files.get('modules.symbols')?.toString('latin1').split('\n').slice(1, -1) ?? [];

      const entries = readIndex(files.get('modules.symbols.bin') ?? Buffer.alloc(0));

      const actual = entries.map(({ key, value }) => `alias ${key} ${value}`);
      expect(actual.sort()).toEqual(lines.sort());
    }
  });
});
