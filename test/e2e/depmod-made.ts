import fc from 'fast-check';
import {
  ALIASES,
  BUILTIN_LINES,
  BUILTIN_STRINGS,
  CONFIG_LINES,
  DIRECTORIES,
  EXCLUDED,
  KERNEL_SYMBOLS,
  NAMES,
  PATTERN_PIECES,
  PATTERNS,
  WORDS,
} from './depmod-made-words.ts';

/** A made-up module: what depmod reads of it. */
export interface MadeModule {
  /** Path below the kernel's directory, without a suffix of compression. */
  readonly path: string;
  readonly compression: '' | '.xz' | '.zst';
  readonly exports: readonly string[];
  readonly imports: readonly string[];
  /** Names that only `__versions` has. */
  readonly versions: readonly string[];
  /** Names that only the extended versions have. */
  readonly extendedVersions: readonly string[];
  /** Strings of `.modinfo`. */
  readonly modinfo: readonly string[];
  readonly form: ModuleForm;
}

/** How a module's file is made. */
export interface ModuleForm {
  readonly is64Bit: boolean;
  readonly isLittleEndian: boolean;
  readonly hasModversions: boolean;
  /** CRCs stand in a section of their own, as they do since Linux 4.9, or are the values of their symbols. */
  readonly hasCrcSection: boolean;
  /** Has the local symbols of the table of exports. */
  readonly hasTableSymbols: boolean;
}

/** A tree before and after modules came to it, with everything else that depmod looks at. */
export interface MadeTree {
  readonly base: readonly MadeModule[];
  readonly added: readonly MadeModule[];
  /** Modules in a directory that an `external` line may name. */
  readonly outside: readonly MadeModule[];
  /** Files of the kernel's build; those that are undefined are missing. */
  readonly order: string | undefined;
  readonly builtin: string | undefined;
  readonly builtinModinfo: string | undefined;
  /** Files of depmod.d by name; `%OUTSIDE%` stands for the directory of the modules outside. */
  readonly config: ReadonlyMap<string, string>;
  /** Whether the merge is told where the kernel's build had each symbol. */
  readonly isSymversKnown: boolean;
}

/** Picks by number, so that a smaller number is a simpler choice. */
function pick<Item>(items: readonly Item[], number: number): Item {
  return items[number % items.length] as Item;
}

const seed = fc.nat({ max: 2 ** 20 });

function seeds(maxLength: number): fc.Arbitrary<number[]> {
  return fc.array(seed, { maxLength });
}

/** True once in so many times. */
function rarely(times: number): fc.Arbitrary<boolean> {
  return fc.nat({ max: times - 1 }).map((number) => number === times - 1);
}

const moduleSeed: fc.Arbitrary<ModuleSeed> = fc.record({
  name: seed,
  directory: seed,
  compression: fc.nat({ max: 9 }),
  needs: seeds(5),
  versions: fc.oneof({ weight: 4, arbitrary: fc.constant<number[]>([]) }, { weight: 1, arbitrary: seeds(2) }),
  exports: fc.nat({ max: 3 }),
  aliases: seeds(5),
  softdeps: seeds(2),
  isAdded: fc.boolean(),
  hasModversions: fc.boolean(),
  isOdd: rarely(12),
  hasKernelSymbol: rarely(60),
});

interface ModuleSeed {
  readonly name: number;
  readonly directory: number;
  readonly compression: number;
  readonly needs: readonly number[];
  readonly versions: readonly number[];
  readonly exports: number;
  readonly aliases: readonly number[];
  readonly softdeps: readonly number[];
  readonly isAdded: boolean;
  readonly hasModversions: boolean;
  readonly isOdd: boolean;
  readonly hasKernelSymbol: boolean;
}

const form = fc.record({
  is64Bit: rarely(6).map((isRare) => !isRare),
  hasCrcSection: fc.boolean(),
  hasTableSymbols: rarely(4).map((isRare) => !isRare),
  modversions: fc.constantFrom('all', 'all', 'all', 'none', 'mixed'),
});

const pattern = fc.oneof(
  seed.map((number) => pick(PATTERNS, number)),
  fc
    .array(fc.constantFrom(...PATTERN_PIECES), { minLength: 1, maxLength: 7 })
    .map((pieces) => pieces.join('')),
);

const configLine = fc.oneof(
  {
    weight: 4,
    arbitrary: seeds(5).map((words) => ['search', ...words.map((word) => pick(WORDS, word))].join(' ')),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(seed, pattern, seed)
      .map(
        ([name, kernel, directory]) =>
          `override ${pick(NAMES, name)} ${kernel} ${pick(DIRECTORIES, directory)}`,
      ),
  },
  { weight: 1, arbitrary: pattern.map((kernel) => `external ${kernel} %OUTSIDE%`) },
  {
    weight: 1,
    arbitrary: seeds(2).map((words) => ['exclude', ...words.map((word) => pick(EXCLUDED, word))].join(' ')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...CONFIG_LINES) },
);

const config = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constant(new Map([['dist.conf', 'search updates extra built-in weak-updates\n']])),
  },
  {
    weight: 5,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom('a.conf', 'dist.conf', 'z.conf', '9.conf'), configLine), {
        maxLength: 6,
      })
      .map((lines) => {
        const files = new Map<string, string>();
        for (const [name, line] of lines) files.set(name, `${files.get(name) ?? ''}${line}\n`);
        return files;
      }),
  },
);

const order = fc.record({
  kind: fc.constantFrom('kernel', 'kernel', 'kernel', 'all', 'absent', 'unended', 'empty'),
  isListed: fc.array(fc.nat({ max: 5 }), { minLength: 8, maxLength: 8 }),
  shuffle: seeds(6),
  repeats: seeds(2),
});

const builtin = fc.record({
  kind: fc.constantFrom('some', 'some', 'absent', 'empty'),
  lines: fc.array(fc.constantFrom(...BUILTIN_LINES), { maxLength: 6 }),
  strings: fc.array(fc.constantFrom(...BUILTIN_STRINGS), { maxLength: 8 }),
});

/** Trees that hold about everything that a depmod can meet, for a machine of one byte order. */
export function madeTrees(byteOrder: 'little' | 'big'): fc.Arbitrary<MadeTree> {
  return fc
    .record({
      modules: fc.array(moduleSeed, { minLength: 1, maxLength: 14 }),
      outside: fc.oneof(
        { weight: 3, arbitrary: fc.constant<ModuleSeed[]>([]) },
        { weight: 1, arbitrary: fc.array(moduleSeed, { maxLength: 2 }) },
      ),
      ...{ form, config, order, builtin },
      hasDuplicates: rarely(5),
      isSymversKnown: fc.boolean(),
      isCyclic: rarely(60),
    })
    .map(({ modules, outside, ...tree }) => {
      const maker = new ModuleMaker({ ...tree, isLittleEndian: byteOrder === 'little' });
      const made = modules.flatMap((one) => maker.make(one, undefined));
      const unique = withoutRepeats(made);
      return {
        base: unique.filter(({ isAdded }) => !isAdded),
        added: unique.filter(({ isAdded }) => isAdded),
        outside: withoutRepeats(outside.flatMap((one) => maker.make(one, 'outside'))),
        order: makeOrder(
          tree.order,
          unique.map(({ path }) => path),
        ),
        builtin: joinLines(tree.builtin.kind, tree.builtin.lines, '\n'),
        builtinModinfo: joinLines(tree.builtin.kind, tree.builtin.strings, '\0'),
        config: tree.config,
        isSymversKnown: tree.isSymversKnown,
      };
    });
}

/** A file system has one file at one path: the last that was written. */
function withoutRepeats<Module extends MadeModule>(modules: readonly Module[]): readonly Module[] {
  return [...new Map(modules.map((module) => [module.path + module.compression, module])).values()];
}

interface TreeSeed {
  readonly form: Omit<ModuleForm, 'hasModversions' | 'isLittleEndian'> & { readonly modversions: string };
  readonly isLittleEndian: boolean;
  readonly hasDuplicates: boolean;
  readonly isCyclic: boolean;
}

class ModuleMaker {
  readonly #tree: TreeSeed;
  readonly #names = new Set<string>();
  readonly #symbols: string[] = [];

  constructor(tree: TreeSeed) {
    this.#tree = tree;
  }

  /** @returns Nothing when the tree has that module already. */
  make(one: ModuleSeed, onlyDirectory: string | undefined): (MadeModule & { readonly isAdded: boolean })[] {
    const file = pick(NAMES, one.name);
    const name = (file.split('.')[0] ?? '').replaceAll('-', '_');
    if (this.#names.has(name) && !this.#tree.hasDuplicates && onlyDirectory === undefined) return [];
    this.#names.add(name);
    const usual = DIRECTORIES.slice(0, 7);
    const directory = onlyDirectory ?? pick(one.directory % 4 === 0 ? DIRECTORIES : usual, one.directory);
    const own = ['_init', '_exit', '.text_x'].slice(0, one.exports).map((end) => name + end);
    const known = this.#tree.isCyclic ? [...own, ...this.#symbols] : [...this.#symbols];
    const importable = [...KERNEL_SYMBOLS, 'unknown_symbol', ...known];
    const need = (number: number): string =>
      pick(known.length > 0 && number % 3 > 0 ? known : importable, number);
    this.#symbols.push(...own);
    const { modversions, ...shape } = this.#tree.form;
    return [
      {
        path: `${directory}/${file}.ko`,
        compression: one.compression === 9 ? '.zst' : one.compression > 6 ? '.xz' : '',
        exports: [...own, ...(one.hasKernelSymbol && one.isAdded ? ['printk'] : [])],
        imports: one.needs.map(need),
        versions: one.versions.map((number) => pick(importable, number)),
        extendedVersions: one.isOdd ? one.versions.map((number) => pick(importable, number + 1)) : [],
        modinfo: makeModinfo(name, one),
        form: {
          ...shape,
          hasModversions: modversions === 'all' || (modversions === 'mixed' && one.hasModversions),
          isLittleEndian: this.#tree.isLittleEndian,
        },
        isAdded: one.isAdded,
      },
    ];
  }
}

function makeModinfo(name: string, { aliases, softdeps, isOdd }: ModuleSeed): readonly string[] {
  return [
    ...[`name=${name}`, 'license=GPL', 'parm=p:caf\u00e9 \u4e2d (int)'],
    ...aliases.map(
      (alias) => `alias=${pick(alias % 5 === 0 || isOdd ? ALIASES : ALIASES.slice(0, 12), alias)}`,
    ),
    ...softdeps.map((hint) => `softdep=${pick(['pre: crc32c', 'post: a b', '', 'pre: x post: y'], hint)}`),
    ...softdeps.map((hint) => `weakdep=${pick(['libie', '', 'x y'], hint)}`),
    ...(isOdd ? ['', 'alias', 'noequals', 'softdep', '=alias'] : []),
  ];
}

interface OrderSeed {
  readonly kind: string;
  readonly isListed: readonly number[];
  readonly shuffle: readonly number[];
  readonly repeats: readonly number[];
}

function makeOrder(
  { kind, isListed, shuffle, repeats }: OrderSeed,
  paths: readonly string[],
): string | undefined {
  if (kind === 'absent') return undefined;
  if (kind === 'empty') return '';
  const lines = paths.filter(
    (path, at) => (kind === 'all' || path.startsWith('kernel/')) && isListed[at % isListed.length] !== 0,
  );
  for (const number of shuffle) lines.push(...lines.splice(number % Math.max(1, lines.length), 1));
  for (const number of repeats) if (lines.length > 0) lines.splice(number % 3, 0, pick(lines, number));
  return lines.map((line) => `${line}\n`).join('') + (kind === 'unended' ? 'kernel/end.ko' : '');
}

function joinLines(kind: string, lines: readonly string[], end: string): string | undefined {
  if (kind === 'absent') return undefined;
  return kind === 'empty' ? '' : lines.map((line) => line + end).join('');
}
