import { listModinfo, type KernelModule } from '../module.ts';
import { parseAliasLines } from './alias-lines.ts';
import { readBaseIndexes } from './base-indexes.ts';
import { toBuiltinAliasIndex, toBuiltinIndex } from './builtin-indexes.ts';
import { configForKernel, type DepmodConfig } from './config.ts';
import { closeOver, numberModules } from './dependency-order.ts';
import type { ByteOrder } from './hash.ts';
import type { IndexLayout } from './index-trie.ts';
import { cycle, findProviders } from './merge-dependencies.ts';
import { checkSymbol } from './merge-exports.ts';
import {
  ALIAS_HEADER,
  aliasLines,
  dependencyHints,
  deviceNode,
  DEVNAME_HEADER,
  SOFTDEP_HEADER,
  WEAKDEP_HEADER,
} from './module-lines.ts';
import { orderModules, readPositions } from './module-order.ts';
import { moduleName } from './names.ts';
import { chooseFile, isSearched } from './search-order.ts';
import { type AddedModule, checkPath, type Precedence } from './select-modules.ts';
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
 * Which depmod wrote a base's indexes.
 *
 * @throws {ModuleError} `INDEX_INVALID`, `INDEX_UNSUPPORTED`, `LIMIT_EXCEEDED`.
 */
export function readIndexFormat(base: ReadonlyMap<string, Uint8Array>): IndexFormat {
  const { layout, byteOrder } = readBaseIndexes(base);
  return { layout, byteOrder, files: [...base.keys()] };
}

export interface TreeRequest {
  /** All modules below the kernel's directory, by path. */
  readonly modules: readonly AddedModule[];
  readonly config: DepmodConfig;
  readonly kernelRelease: string;
  readonly format: IndexFormat;
  /** `modules.order`, `modules.builtin` and `modules.builtin.modinfo` of the kernel's build, where it has them. */
  readonly order?: Uint8Array | undefined;
  readonly builtin?: Uint8Array | undefined;
  readonly builtinModinfo?: Uint8Array | undefined;
}

export interface TreeIndexes {
  /** The files that the format names, as far as depmod writes them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly shadowed: readonly Precedence[];
}

/**
 * Computes all indexes of a tree from its modules, as `depmod -a` does, byte for byte.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE`, `DEPENDENCY_CYCLE`, `NAME_MISMATCH`, `MODINFO_INVALID`,
 * `INDEX_UNSUPPORTED`.
 */
export function indexTree(request: TreeRequest): TreeIndexes {
  const { layout, byteOrder, files: wanted } = request.format;
  const { modules, shadowed } = chooseModules(request);
  const owners = new Map<string, number>();
  for (const [number, { name, module }] of modules.entries()) {
    for (const { symbol } of module.exports) {
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
  const files = new Map(
    writeIndexes(
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
    ),
  );
  if (wanted.includes('modules.builtin.bin')) {
    files.set('modules.builtin.bin', toBuiltinIndex(toBuffer(request.builtin), layout));
  }
  if (wanted.includes('modules.builtin.alias.bin')) {
    files.set('modules.builtin.alias.bin', toBuiltinAliasIndex(toBuffer(request.builtinModinfo), layout));
  }
  return { files, shadowed };
}

interface ChosenModule {
  readonly name: string;
  readonly path: string;
  readonly module: KernelModule;
}

function chooseModules(request: TreeRequest): {
  readonly modules: readonly ChosenModule[];
  readonly shadowed: readonly Precedence[];
} {
  const config = configForKernel(request.config, request.kernelRelease);
  const byName = new Map<string, AddedModule[]>();
  for (const added of request.modules) {
    checkPath(added.path);
    if (!isSearched(added.path, config)) continue;
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
  const positions = readPositions(toBuffer(request.order), request.format.layout);
  const modules: ChosenModule[] = [];
  for (const index of orderModules(chosen, positions, request.format.byteOrder)) {
    const module = chosen[index];
    if (module !== undefined) modules.push(module);
  }
  return { modules, shadowed };
}

function toBuffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
