import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDepmodConfig } from '../../src/kmod/depmod/config.ts';
import { moduleName } from '../../src/kmod/depmod/names.ts';
import { packModule } from './depmod-made-file.ts';
import { mergeOutcome, type Outcome, Tally, treeOutcome } from './depmod-outcome.ts';
import {
  DEPMOD_CACHE,
  fetchBigEndianKmod,
  fetchKernel,
  fetchKmod28,
  fetchKmod34,
  KMOD_30,
  type RealDepmod,
} from './depmod-packages.ts';
import { cutTree, KINDS, makeOrder, makeRandom, type RandomTree, toKmod28 } from './depmod-random.ts';
import { ModuleTree } from './depmod-tree.ts';
import { depmodSeed, depmodTrials } from './depmod-trials.ts';
import { type KernelModules, readKernel } from './kernel-modules.ts';

const TRIALS = depmodTrials();
/** A depmod in an emulator takes its time. */
const MOST_EMULATED = 150;

mkdirSync(DEPMOD_CACHE, { recursive: true });
const scratch = mkdtempSync(join(DEPMOD_CACHE, 'trees-'));
const littleEndian: RealDepmod[] = [KMOD_30];
let bigEndian: RealDepmod;

beforeAll(async () => {
  littleEndian.push(await fetchKmod34(), await fetchKmod28());
  bigEndian = await fetchBigEndianKmod();
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('indexes of trees that are cut from real kernels', () => {
  it.each(['amd64', 'arm64', 'ppc64el', 's390x'] as const)(
    'are those of real depmod, or refused for a reason that holds: %s',
    async (arch) => {
      const from = await readKernel(await fetchKernel(arch), scratch);
      const trials = Math.ceil(TRIALS * (arch === 'amd64' ? 0.4 : 0.2));
      const tally = new Tally();
      for (let trial = 0; trial < trials; trial++) {
        const seed = depmodSeed() + trial;
        const kind = KINDS[trial % KINDS.length] ?? 'add';
        const isEmulated = arch === 's390x' && trial % 3 === 0;
        const depmod = isEmulated ? bigEndian : (littleEndian[trial % littleEndian.length] ?? KMOD_30);
        const cut = cutTree(kind, makeRandom(seed), from, isEmulated ? MOST_EMULATED : 10_000);
        const label = `${arch}, ${depmod.name}, ${kind}, seed ${seed}`;
        await tryTree(depmod, depmod.version === 28 ? toKmod28(cut) : cut, from, { tally, label });
      }
      console.log(
        `${trials} trees of ${from.kernel.kernelRelease} from seed ${depmodSeed()}: ${tally.toString()}`,
      );
      expect(tally.count('merged')).toBeGreaterThan(0.6 * trials);
      expect(tally.count('computed')).toBeGreaterThan(0.6 * trials);
    },
    36_000_000,
  );
});

async function tryTree(
  depmod: RealDepmod,
  made: RandomTree,
  from: KernelModules,
  { tally, label }: { readonly tally: Tally; readonly label: string },
): Promise<void> {
  const tree = new ModuleTree(join(scratch, 'tree'), from.kernel.kernelRelease);
  try {
    for (const [path, source] of made.base) tree.link(path, from.fileOf(source));
    const order = makeOrder(made.order, from.buildFile('modules.order'));
    if (order !== undefined) tree.write('modules.order', order);
    for (const name of ['modules.builtin', 'modules.builtin.modinfo']) tree.write(name, from.buildFile(name));
    const base = await tree.depmod(depmod, made.config);
    for (const [path, source] of made.added) {
      const suffix = /\.(?:xz|zst)$/.exec(path)?.[0] ?? '';
      if (suffix === '') tree.link(path, from.fileOf(source));
      else tree.write(path, packModule(readFileSync(from.fileOf(source)), suffix));
    }
    const expected = await tree.depmod(depmod, made.config);
    if (base === undefined) throw new Error(`${label}: depmod failed on the base`);
    const trial = { depmod, made, from, base, expected, label };
    judge(merge(trial), trial, tally, 'merged');
    judge(index(trial), trial, tally, 'computed');
  } finally {
    tree.remove();
  }
}

interface Trial {
  readonly depmod: RealDepmod;
  readonly made: RandomTree;
  readonly from: KernelModules;
  readonly base: ReadonlyMap<string, Buffer>;
  /** Undefined when real depmod failed. */
  readonly expected: ReadonlyMap<string, Buffer> | undefined;
  readonly label: string;
}

function merge({ made, from, base, expected }: Trial): Outcome {
  const isReturning = made.kind === 'return';
  return mergeOutcome(
    {
      base,
      added: [...made.added].map(([path, source]) => ({ path, module: from.read(source) })),
      config: parseDepmodConfig(configFiles(made)),
      kernelRelease: from.kernel.kernelRelease,
      ...(isReturning ? { symvers: toSymvers(made, from) } : {}),
    },
    expected ?? new Map<string, Buffer>(),
    (path) => from.read(made.base.get(path) ?? ''),
  );
}

function index({ depmod, made, from, base, expected = base }: Trial): Outcome {
  return treeOutcome(
    {
      modules: [...made.base, ...made.added].map(([path, source]) => ({ path, module: from.read(source) })),
      config: parseDepmodConfig(configFiles(made)),
      kernelRelease: from.kernel.kernelRelease,
      format: {
        layout: depmod.version >= 34 ? 'pre-order' : 'post-order',
        byteOrder: depmod.byteOrder,
        files: [...expected.keys()],
      },
      files: base,
    },
    expected,
  );
}

function configFiles({ config }: RandomTree): Parameters<typeof parseDepmodConfig>[0] {
  return [...config].map(([name, text]) => ({ directory: 'etc/depmod.d', name, text }));
}

/** What the kernel's build exports from modules, as far as this tree goes. */
function toSymvers(
  { base, added }: RandomTree,
  from: KernelModules,
): ReadonlyMap<string, { readonly owner: string }> {
  const symvers = new Map<string, { readonly owner: string }>();
  for (const source of [...base.values(), ...added.values()]) {
    for (const { symbol } of from.read(source).exports)
      symvers.set(symbol, { owner: source.replace(/\.ko$/, '') });
  }
  return symvers;
}

/** Throws unless the outcome is what real depmod wrote, or a refusal that the tree gives a reason for. */
function judge(
  { differing, needed, error }: Outcome,
  { made, from, expected, label }: Trial,
  tally: Tally,
  done: 'merged' | 'computed',
): void {
  if (error === undefined) {
    expect(expected, `${label}: depmod fails where we do not`).toBeDefined();
    expect(differing, label).toEqual([]);
    tally.add(done);
    if (needed.length > 0) tally.add(`${done} after reading modules of the base`);
    return;
  }
  tally.add(`not ${done}: ${error.code}`);
  const files = [...made.base, ...made.added];
  const names = files.map(([path]) => moduleName(path));
  const symbols = files.flatMap(([, source]) => from.read(source).exports.map(({ symbol }) => symbol));
  const reasons: Partial<Record<string, boolean>> = {
    DUPLICATE_MODULE: new Set(names).size < names.length,
    DUPLICATE_EXPORT: new Set(symbols).size < symbols.length,
    DEPENDENCY_CYCLE: expected === undefined,
  };
  expect(reasons[error.code], `${label}: ${error.message}`).toBe(true);
}
