import { ModuleError } from '../../errors.ts';
import { listModinfo, type KernelModule } from '../module.ts';
import { parseAliasLines } from './alias-lines.ts';
import { readBaseIndexes } from './base-indexes.ts';
import { toBuiltinAliasIndex, toBuiltinIndex } from './builtin-indexes.ts';
import { configForKernel, type DepmodConfig } from './config.ts';
import { closeOver, numberModules } from './dependency-order.ts';
import type { ByteOrder } from './hash.ts';
import { findFile, findLayout, MERGED_FILES } from './index-format.ts';
import { HEADER_BYTES, type IndexLayout } from './index-trie.ts';
import { cycle, findProviders } from './merge-dependencies.ts';
import { checkSymbol } from './merge-exports.ts';
import {
  ALIAS_HEADER,
  aliasLines,
  dependencyHints,
  deviceNode,
  DEVNAME_HEADER,
  listIndexSymbols,
  SOFTDEP_HEADER,
  WEAKDEP_HEADER,
} from './module-lines.ts';
import { orderModules, readPositions } from './module-order.ts';
import { moduleName } from './names.ts';
import { chooseFile, isSearched } from './search-order.ts';
import { type AddedModule, checkCount, checkPath, duplicatePath, type Precedence } from './select-modules.ts';
import { toSymbolLines } from './symbol-lines.ts';
import { writeIndexes } from './write-indexes.ts';

/** Which depmod to be. */
export interface IndexFormat {
  readonly layout: IndexLayout;
  /** Of the machine that depmod would run on. */
  readonly byteOrder: ByteOrder;
  /** Names of the files to write. */
  readonly files: readonly string[];
}

/** Files that depmod writes on x86_64, arm64 and ppc64le up to kmod 32, as in RHEL 9 and 10. */
export const RHEL_INDEX_FORMAT: IndexFormat = {
  layout: 'post-order',
  byteOrder: 'little',
  files: [
    'modules.dep',
    'modules.dep.bin',
    'modules.alias',
    'modules.alias.bin',
    'modules.softdep',
    'modules.symbols',
    'modules.symbols.bin',
    'modules.builtin.bin',
    'modules.builtin.alias.bin',
    'modules.devname',
  ],
};

/**
 * Which depmod wrote the indexes of a tree, as far as they tell; what they do not tell is as in RHEL.
 *
 * @param likelyByteOrder Of the machines that the modules are for.
 */
export function readIndexFormat(
  tree: ReadonlyMap<string, Uint8Array>,
  likelyByteOrder: ByteOrder = 'little',
): IndexFormat {
  const names = [...tree.keys()];
  const isWritten = names.some((name) => MERGED_FILES.some((file) => file === name));
  return {
    layout: findLayout(tree) ?? RHEL_INDEX_FORMAT.layout,
    byteOrder: findByteOrder(tree, likelyByteOrder) ?? likelyByteOrder,
    files: isWritten ? names : RHEL_INDEX_FORMAT.files,
  };
}

function findByteOrder(
  tree: ReadonlyMap<string, Uint8Array>,
  likelyByteOrder: ByteOrder,
): ByteOrder | undefined {
  try {
    return readBaseIndexes(tree, likelyByteOrder).byteOrder;
  } catch (error) {
    // All indexes are computed anew just because those that are there are damaged.
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}

export interface TreeRequest {
  /** All modules below the kernel's directory, and below those that `external` lines name, by path. */
  readonly modules: readonly AddedModule[];
  readonly config: DepmodConfig;
  readonly kernelRelease: string;
  readonly format: IndexFormat;
  /** The `modules.*` files that stand in the tree: those of the kernel's build, and indexes from before. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

const NO_FILES: ReadonlyMap<string, Uint8Array> = new Map<string, Uint8Array>();

export interface TreeIndexes {
  /** The files that the format names, as far as depmod writes them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly shadowed: readonly Precedence[];
  /** Files that depmod never looks at, because of an `exclude` line. */
  readonly excluded: readonly string[];
}

/**
 * Computes all indexes of a tree from its modules, as `depmod -a` does, byte for byte.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE`, `DEPENDENCY_CYCLE`, `NAME_MISMATCH`, `MODINFO_INVALID`,
 * `INDEX_UNSUPPORTED`, `LIMIT_EXCEEDED`.
 */
export function indexTree(request: TreeRequest): TreeIndexes {
  const { layout, byteOrder, files: wanted } = request.format;
  const { modules, shadowed, excluded } = chooseModules(request);
  const owners = new Map<string, number>();
  for (const [number, { name, module }] of modules.entries()) {
    for (const symbol of listIndexSymbols(module)) {
      checkSymbol(name, symbol);
      // Of two modules with one symbol depmod takes the later.
      owners.set(symbol, number);
    }
  }
  const edges = modules.map(({ module }) => findProviders(module.imports, owners));
  const numbers = numberModules(edges);
  if (numbers === undefined) throw cycle(edges, { modules });
  const symbols = [...owners].map(([symbol, owner]) => ({
    symbol,
    owner,
    module: modules[owner]?.name ?? '',
  }));
  const join = (header: string, lines: (name: string, module: KernelModule) => string): Buffer =>
    Buffer.from(header + modules.map(({ name, module }) => lines(name, module)).join(''), 'latin1');
  const alias = join(ALIAS_HEADER, (name, module) => aliasLines(name, module).join(''));
  const numberOfName = new Map(modules.map(({ name }, number) => [name, number]));
  const devname = join('', (name, module) => deviceNode(name, listModinfo(module, 'alias')));
  const files = writeIndexes(
    {
      paths: modules.map(({ path }) => path),
      names: modules.map(({ name }) => name),
      closures: closeOver(edges, numbers),
      symbols: toSymbolLines(symbols, byteOrder),
      alias: parseAliasLines('modules.alias', alias, numberOfName),
      softdep: join(SOFTDEP_HEADER, (name, module) => dependencyHints('softdep', name, module)),
      weakdep: join(WEAKDEP_HEADER, (name, module) => dependencyHints('weakdep', name, module)),
      devname:
        devname.length === 0 ? devname : Buffer.concat([Buffer.from(DEVNAME_HEADER, 'latin1'), devname]),
    },
    layout,
    (file) => wanted.includes(file),
  );
  return { files: new Map([...files, ...indexBuiltins(request)]), shadowed, excluded };
}

/** The indexes of what is built into the kernel. */
function indexBuiltins({ format, files = NO_FILES }: TreeRequest): ReadonlyMap<string, Uint8Array> {
  const { layout, files: wanted } = format;
  const indexes = new Map<string, Uint8Array>();
  const add = (name: string, make: () => Buffer): void => {
    if (!wanted.includes(name)) return;
    const before = findFile(files, name);
    // kmod 28 never puts anything into the one of aliases, and versions differ when the kernel's build says nothing.
    const isEmpty = before !== undefined && before.length <= HEADER_BYTES;
    indexes.set(name, isEmpty ? before : make());
  };
  add('modules.builtin.bin', () => toBuiltinIndex(findFile(files, 'modules.builtin'), layout));
  add('modules.builtin.alias.bin', () =>
    toBuiltinAliasIndex(findFile(files, 'modules.builtin.modinfo'), layout),
  );
  return indexes;
}

interface ChosenModule {
  readonly name: string;
  readonly path: string;
  readonly module: KernelModule;
}

function chooseModules(request: TreeRequest): {
  readonly modules: readonly ChosenModule[];
  readonly shadowed: readonly Precedence[];
  readonly excluded: readonly string[];
} {
  const config = configForKernel(request.config, request.kernelRelease);
  const byName = new Map<string, AddedModule[]>();
  const excluded: string[] = [];
  const paths = new Set<string>();
  for (const added of request.modules) {
    if (paths.has(added.path)) throw duplicatePath(added.path);
    paths.add(added.path);
    // Modules outside of the kernel's directory have absolute paths.
    checkPath(added.path.replace(/^\//, ''));
    if (!isSearched(added.path, config)) {
      excluded.push(added.path);
      continue;
    }
    const name = moduleName(added.path);
    const others = byName.get(name);
    if (others === undefined) byName.set(name, [added]);
    else others.push(added);
  }
  const shadowed: Precedence[] = [];
  const chosen: ChosenModule[] = [];
  for (const [name, candidates] of byName) {
    const winner = chooseFile(candidates.map(({ path }) => path).sort(), config);
    for (const { path, module } of candidates) {
      if (path === winner) chosen.push({ name, path, module });
      else shadowed.push({ name, winner, loser: path });
    }
  }
  checkCount(chosen.length);
  const positions = readPositions(
    findFile(request.files ?? NO_FILES, 'modules.order'),
    request.format.layout,
  );
  const modules: ChosenModule[] = [];
  for (const index of orderModules(chosen, positions, request.format.byteOrder)) {
    const module = chosen[index];
    if (module !== undefined) modules.push(module);
  }
  return { modules, shadowed, excluded };
}
