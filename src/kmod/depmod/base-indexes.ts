import { ModuleError } from '../../errors.ts';
import { type AliasLines, parseAliasLines } from './alias-lines.ts';
import { type Dependencies, parseDependencies } from './dependencies-file.ts';
import { type Edges, numberModules, reduce } from './dependency-order.ts';
import type { ByteOrder } from './hash.ts';
import { findFile, getFile, readLayout } from './index-format.ts';
import type { IndexLayout } from './index-trie.ts';
import { orderModules, type Positions, readPositions } from './module-order.ts';
import { parseSymbolLines, readBuckets } from './symbol-lines.ts';

/** A base's indexes, as far as a merge must understand them. */
export interface BaseIndexes {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly layout: IndexLayout;
  readonly byteOrder: ByteOrder;
  readonly positions: Positions;
  readonly dependencies: Dependencies;
  /** Enough direct dependencies to give all others; their order as far as it can be known. */
  readonly edges: Edges;
  /** For each module whose visit freed two or more others: these, so that their order is known. */
  readonly learned: ReadonlyMap<number, ReadonlySet<number>>;
  readonly aliases: AliasLines;
  readonly symbols: AliasLines;
  readonly symbolBuckets: Int32Array;
}

/**
 * Reads what a merge needs of the base's indexes, and finds out which kmod wrote them, on what kind of machine.
 *
 * @param likelyByteOrder Taken where the indexes allow both.
 * @throws {ModuleError} `INDEX_INVALID`, `LIMIT_EXCEEDED`; `INDEX_UNSUPPORTED` when depmod as we know it would have
 * written other files.
 */
export function readBaseIndexes(
  files: ReadonlyMap<string, Uint8Array>,
  likelyByteOrder: ByteOrder = 'little',
): BaseIndexes {
  const layout = readLayout(files);
  const dependencies = parseDependencies(getFile(files, 'modules.dep'));
  const positions = readPositions(findFile(files, 'modules.order'), layout);
  const symbols = parseSymbolLines(getFile(files, 'modules.symbols'), dependencies.numberOfName);
  const aliases = parseAliasLines(
    'modules.alias',
    getFile(files, 'modules.alias'),
    dependencies.numberOfName,
  );
  const edges = reduce(dependencies.closures);
  const learned = edges === undefined ? undefined : learnOrders(dependencies.closures, edges);
  if (edges === undefined || learned === undefined) throw unsupported('modules.dep');

  const byteOrders: readonly ByteOrder[] =
    likelyByteOrder === 'little' ? ['little', 'big'] : ['big', 'little'];
  let isSymbolsInOrder = false;
  for (const byteOrder of byteOrders) {
    const symbolBuckets = readBuckets(symbols, byteOrder);
    if (symbolBuckets === undefined) continue;
    isSymbolsInOrder = true;
    if (!isInOrder(dependencies, positions, byteOrder)) continue;
    return {
      ...{ files, layout, byteOrder, positions, dependencies },
      ...{ edges, learned, aliases, symbols, symbolBuckets },
    };
  }
  throw unsupported(isSymbolsInOrder ? 'modules.dep' : 'modules.symbols');
}

/** The base's indexes are not what this depmod would have written. */
export function unsupported(file: string): ModuleError {
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot merge into the base's indexes: its ${file} is not what depmod writes for the modules it lists`,
    { hint: 'Compute all indexes anew from the modules themselves with --full.' },
  );
}

/** Replays depmod's numbering; undefined when a line of the base is not in the order that comes out. */
function learnOrders(closures: Edges, edges: Edges): ReadonlyMap<number, ReadonlySet<number>> | undefined {
  const learned = new Map<number, ReadonlySet<number>>();
  const numbers = numberModules(edges, (source, pushed, from, to) => {
    learned.set(source, new Set(pushed.subarray(from, to)));
  });
  if (numbers === undefined) return undefined;
  for (const closure of closures) {
    let last = -1;
    for (const need of closure) {
      const number = numbers[need] ?? 0;
      if (number <= last) return undefined;
      last = number;
    }
  }
  return learned;
}

function isInOrder(dependencies: Dependencies, positions: Positions, byteOrder: ByteOrder): boolean {
  const modules = dependencies.paths.map((path, number) => ({
    path,
    name: dependencies.names[number] ?? '',
  }));
  return orderModules(modules, positions, byteOrder).every((module, number) => module === number);
}
