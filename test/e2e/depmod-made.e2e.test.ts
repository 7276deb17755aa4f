import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KmodError } from '../../src/errors.ts';
import { configForKernel, parseDepmodConfig } from '../../src/kmod/depmod/config.ts';
import { moduleName } from '../../src/kmod/depmod/names.ts';
import type { AddedModule } from '../../src/kmod/depmod/select-modules.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { type MadeModule, type MadeTree, madeTrees } from './depmod-made.ts';
import { packModule, toElf } from './depmod-made-file.ts';
import { KERNEL_SYMBOLS } from './depmod-made-words.ts';
import { mergeOutcome, type Outcome, Tally, treeOutcome } from './depmod-outcome.ts';
import { fetchBigEndianKmod, fetchKmod28, fetchKmod34, KMOD_30, type RealDepmod } from './depmod-packages.ts';
import { type ConfigFiles, ModuleTree } from './depmod-tree.ts';
import { depmodSeed, depmodTrials } from './depmod-trials.ts';

const TRIALS = 2 * depmodTrials();
const KERNEL = '6.1.0-56-amd64';
/** Modules that need each other make some depmods look for ever. */
const TIMEOUT_MS = 3_000;

const scratch = mkdtempSync(join(tmpdir(), 'depmod-made-'));
const outside = join(scratch, 'outside');
const littleEndian: RealDepmod[] = [KMOD_30];
let bigEndian: RealDepmod;

beforeAll(async () => {
  littleEndian.push(await fetchKmod34(), await fetchKmod28());
  bigEndian = await fetchBigEndianKmod();
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('indexes of made-up trees', () => {
  it(`are those of real depmod for ${TRIALS} of them, or refused for a reason that holds`, async () => {
    const depmods = fc.nat({ max: 19 }).chain((number) => {
      const depmod = number === 19 ? bigEndian : (littleEndian[number % littleEndian.length] ?? KMOD_30);
      return fc.tuple(fc.constant(depmod), madeTrees(depmod.byteOrder));
    });
    const tally = new Tally();

    await fc.assert(
      fc.asyncProperty(depmods, async ([depmod, tree]) => {
        fc.pre(depmod.version > 28 || isKnownTo28(tree));
        await tryTree(depmod, tree, tally);
      }),
      { numRuns: TRIALS, seed: depmodSeed() },
    );

    console.log(`made-up trees from seed ${depmodSeed()}: ${tally.toString()}`);
    // Some 70 and 75 of a hundred; a merge that refused, or read everything, would show here.
    expect(tally.count('merged')).toBeGreaterThan(0.5 * TRIALS);
    expect(tally.count('computed')).toBeGreaterThan(0.55 * TRIALS);
    expect(tally.count('merged after reading modules of the base')).toBeLessThan(0.8 * tally.count('merged'));
    expect(tally.count('not tried: a pattern is too complex')).toBeLessThan(0.1 * TRIALS);
  }, 36_000_000);
});

/** kmod 28 knows no zstd as Debian built it, and says that it ignores these words. */
function isKnownTo28({ base, added, outside: others, config }: MadeTree): boolean {
  const isZstd = [...base, ...added, ...others].some(({ compression }) => compression === '.zst');
  return !isZstd && [...config.values()].every((text) => !/external|exclude/.test(text));
}

async function tryTree(depmod: RealDepmod, made: MadeTree, tally: Tally): Promise<void> {
  const tree = new ModuleTree(join(scratch, 'root'), KERNEL);
  try {
    const config: ConfigFiles = new Map(
      [...made.config].map(([name, text]) => [name, text.replaceAll('%OUTSIDE%', outside)]),
    );
    const parsed = parse(config);
    if (!isMatchable(parsed)) {
      tally.add('not tried: a pattern is too complex');
      return;
    }
    writeTree(tree, made);
    const base = await tree.depmod(depmod, config, TIMEOUT_MS);
    if (base === undefined) return;
    for (const module of made.added) write(tree, module);
    const expected = await tree.depmod(depmod, config, TIMEOUT_MS);
    const trial = { depmod, made, config: parsed, base, expected };
    judge(mergeTrial(trial), trial, tally, 'merged');
    judge(indexTrial(trial), trial, tally, 'computed');
  } finally {
    tree.remove();
    rmSync(outside, { recursive: true, force: true });
  }
}

interface Trial {
  readonly depmod: RealDepmod;
  readonly made: MadeTree;
  readonly config: ReturnType<typeof parseDepmodConfig>;
  readonly base: ReadonlyMap<string, Buffer>;
  /** Undefined when real depmod failed. */
  readonly expected: ReadonlyMap<string, Buffer> | undefined;
}

function mergeTrial({ made: tree, config, base, expected }: Trial): Outcome {
  const made = hasOutside(config) ? tree : { ...tree, outside: [] };
  const all = new Map(
    [...made.base.map(toAdded), ...made.outside.map(toOutside)].map((one) => [one.path, one.module]),
  );
  return mergeOutcome(
    {
      ...{ base, config, added: made.added.map(toAdded), kernelRelease: KERNEL },
      ...(made.isSymversKnown || hasUnknownUsers(made) ? { symvers: toSymvers(made) } : {}),
    },
    expected ?? new Map<string, Buffer>(),
    (path) => {
      const module = all.get(path);
      if (module === undefined) throw new Error(`asks for ${path}, which the base does not have`);
      return module;
    },
  );
}

function indexTrial({ depmod, made, config, base, expected = base }: Trial): Outcome {
  return treeOutcome(
    {
      modules: [...made.base, ...made.added]
        .map(toAdded)
        .concat(hasOutside(config) ? made.outside.map(toOutside) : []),
      ...{ config, kernelRelease: KERNEL, files: base },
      format: {
        layout: depmod.version >= 34 ? 'pre-order' : 'post-order',
        byteOrder: depmod.byteOrder,
        files: [...expected.keys()],
      },
    },
    expected,
  );
}

/** Says whether the modules outside of the tree belong to it: what they export is nobody's otherwise. */
function hasOutside(config: Trial['config']): boolean {
  return configForKernel(config, KERNEL).externals.includes(outside);
}

/** Throws unless the outcome is what real depmod wrote, or a refusal that the tree gives a reason for. */
function judge(
  { differing, needed, error }: Outcome,
  trial: Trial,
  tally: Tally,
  done: 'merged' | 'computed',
): void {
  const { depmod, expected } = trial;
  if (error === undefined) {
    expect(expected, `${depmod.name} fails where we do not`).toBeDefined();
    expect(differing, depmod.name).toEqual([]);
    tally.add(done);
    if (needed.length > 0) tally.add(`${done} after reading modules of the base`);
    return;
  }
  tally.add(`not ${done}: ${error.code}`);
  expect(isReason(error, trial), `${depmod.name}: ${error.message}`).toBe(true);
}

function isReason({ code, message }: KmodError, { made, base, expected }: Trial): boolean {
  const modules = [...made.base, ...made.added, ...made.outside];
  const names = modules.map(({ path }) => moduleName(path));
  const symbols = modules.flatMap(({ exports }) => [...new Set(exports)]);
  const texts = modules.flatMap(({ modinfo }) => modinfo.filter((text) => !text.startsWith('parm=')));
  switch (code) {
    case 'DEPENDENCY_CYCLE':
      return expected === undefined;
    case 'DUPLICATE_MODULE':
      return new Set(names).size < names.length;
    case 'DUPLICATE_EXPORT':
      // What stripped modules without CRCs export cannot be told from their namespaces.
      return (
        new Set([...symbols, ...KERNEL_SYMBOLS]).size < symbols.length + KERNEL_SYMBOLS.length ||
        modules.filter(({ form }) => !form.hasModversions && !form.hasTableSymbols).length > 1
      );
    case 'MODINFO_INVALID':
      return texts.some((text) => /[^\x20-\x7e]/.test(text));
    case 'INDEX_UNSUPPORTED':
      return (
        (message.includes('too complex') &&
          [...made.config.values()].some((text) => /override|external/.test(text))) ||
        (message.includes('they are empty') && base.get('modules.dep')?.length === 0) ||
        (message.includes('once the one that is listed is replaced') &&
          modules.some(({ form }) => !form.hasModversions)) ||
        (message.includes('7-bit ASCII') && texts.some((text) => /[^\x20-\x7e]/.test(text)))
      );
    default:
      return false;
  }
}

/** Says whether a module of the base imports what only an added one exports: only symvers tells. */
function hasUnknownUsers({ base, added, outside: others }: MadeTree): boolean {
  const exported = new Set([...base, ...others].flatMap(({ exports }) => exports));
  const news = new Set(added.flatMap(({ exports }) => exports).filter((symbol) => !exported.has(symbol)));
  return [...base, ...others].some(({ imports, versions }) =>
    [...imports, ...versions].some((name) => news.has(name)),
  );
}

function toSymvers({
  base,
  added,
  outside: others,
}: MadeTree): ReadonlyMap<string, { readonly owner: string }> {
  const symvers = new Map<string, { readonly owner: string }>();
  for (const { path, exports } of [...base, ...added, ...others]) {
    for (const symbol of exports) symvers.set(symbol, { owner: path.replace(/\.ko$/, '') });
  }
  for (const symbol of KERNEL_SYMBOLS) symvers.set(symbol, { owner: 'vmlinux' });
  return symvers;
}

/** Modules outside of the tree stand in `outside/`. */
const beside = {
  write: (path: string, bytes: Uint8Array): void => {
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(scratch, path), bytes);
  },
};

function writeTree(tree: ModuleTree, made: MadeTree): void {
  for (const [name, text] of [
    ['modules.order', made.order],
    ['modules.builtin', made.builtin],
    ['modules.builtin.modinfo', made.builtinModinfo],
  ] as const) {
    if (text !== undefined) tree.write(name, Buffer.from(text, 'latin1'));
  }
  for (const module of made.base) write(tree, module);
  for (const module of made.outside) write(beside, module);
}

function write(tree: Pick<ModuleTree, 'write'>, module: MadeModule): void {
  tree.write(module.path + module.compression, packModule(toElf(module), module.compression));
}

function toAdded(module: MadeModule): AddedModule {
  return { path: module.path + module.compression, module: readModule(toElf(module)) };
}

function toOutside(module: MadeModule): AddedModule {
  return { ...toAdded(module), path: join(scratch, module.path + module.compression) };
}

/** Says whether we take each pattern for a kernel release: those that could run for ever are refused. */
function isMatchable(config: Trial['config']): boolean {
  try {
    configForKernel(config, KERNEL);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'INDEX_UNSUPPORTED' });
    return false;
  }
}

function parse(config: ConfigFiles): ReturnType<typeof parseDepmodConfig> {
  return parseDepmodConfig([...config].map(([name, text]) => ({ directory: 'etc/depmod.d', name, text })));
}
