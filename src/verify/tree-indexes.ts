import { ModuleError } from '../errors.ts';
import { parseDependencyLines } from '../kmod/depmod/dependencies-file.ts';
import type { Export } from '../kmod/module.ts';
import type { KernelSymbol } from '../kmod/symvers.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { isProprietary } from './checks/licence.ts';
import type { KernelFacts } from './kernel-facts.ts';
import type { ModuleTree, SymbolProvider } from './module-tree.ts';
import type { Subject } from './subject.ts';

/** What the indexes of a kernel say of its modules. */
export interface TreeIndexes {
  /** Path of each module by name. */
  readonly pathOf: ReadonlyMap<string, string>;
  /** What a module needs, directly or not, by its path; undefined for one that has no line. */
  readonly dependenciesOf: (path: string) => readonly string[] | undefined;
  /** Name of the module that exports each symbol. */
  readonly owners: ReadonlyMap<string, string>;
}

/**
 * Reads `modules.dep` and `modules.symbols`.
 *
 * @throws {ModuleError} `INDEX_INVALID` for one that is missing or damaged.
 */
export function readTreeIndexes(files: ReadonlyMap<string, Uint8Array>): TreeIndexes {
  const { paths, names, numberOfPath, needsOf } = parseDependencyLines(getIndex(files, 'modules.dep'));
  const pathOf = new Map(names.map((name, number) => [name, paths[number] ?? '']));
  return {
    pathOf,
    dependenciesOf: (path) => {
      const number = numberOfPath.get(path);
      return number === undefined ? undefined : needsOf(number);
    },
    owners: readOwners(getIndex(files, 'modules.symbols').toString('latin1')),
  };
}

const OWNER_LINE = 'alias symbol:';

/** Owners by symbol. There are some ten thousand lines, so that each is cut at its blanks and not matched. */
function readOwners(text: string): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const symbolAt = start + OWNER_LINE.length;
    const blank = text.indexOf(' ', symbolAt);
    if (text.startsWith(OWNER_LINE, start) && blank > symbolAt && blank + 1 < end) {
      owners.set(text.slice(symbolAt, blank), text.slice(blank + 1, end));
    }
    start = end + 1;
  }
  return owners;
}

function getIndex(files: ReadonlyMap<string, Uint8Array>, name: string): Buffer {
  const bytes = files.get(name);
  if (bytes !== undefined) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  throw new ModuleError('INDEX_INVALID', `Cannot verify modules: the tree has no ${name}`, {
    hint: 'Run depmod on the tree first.',
  });
}

/**
 * The tree as modules find each other in it: who exports what stands in the indexes, with which CRC and for whom in the
 * modules that were read, and for the others in the kernel's symvers.
 */
export function makeModuleTree(
  indexes: TreeIndexes,
  subjects: readonly Subject[],
  kernel: Pick<KernelFacts, 'exports' | 'importedCrcs'>,
): ModuleTree {
  const byPath = new Map(subjects.map((subject) => [subject.path, subject]));
  const exportsByPath = new Map<string, ReadonlyMap<string, Export>>();
  const closed = closedModules(indexes, byPath);
  const exportOf = (path: string, subject: Subject, symbol: string): Export | undefined => {
    const known = exportsByPath.get(path) ?? new Map(subject.symbols.exports.map((one) => [one.symbol, one]));
    exportsByPath.set(path, known);
    return known.get(symbol);
  };
  return {
    dependenciesOf: indexes.dependenciesOf,
    findProvider: (symbol) => {
      const name = indexes.owners.get(symbol);
      const path = name === undefined ? undefined : indexes.pathOf.get(name);
      if (name === undefined || path === undefined) return undefined;
      const isProprietaryOne = closed.get(path);
      const subject = byPath.get(path);
      if (subject !== undefined) {
        const found = exportOf(path, subject, symbol);
        // The index may say what the file, which came later, no longer has.
        if (found === undefined) return undefined;
        const { crc, isGplOnly, namespace = '' } = found;
        return { path, crc, isGplOnly, namespace, isProprietary: isProprietaryOne };
      }
      return { path, ...rowOf(kernel, symbol, name), isProprietary: isProprietaryOne };
    },
  };
}

/** What symvers say of an export of a module that was not read. */
function rowOf(
  { exports, importedCrcs }: Pick<KernelFacts, 'exports' | 'importedCrcs'>,
  symbol: string,
  owner: string,
): Pick<SymbolProvider, 'crc' | 'isGplOnly' | 'namespace'> {
  const row: KernelSymbol | undefined = exports?.get(symbol);
  if (row === undefined || moduleNameOfPath(row.owner) !== owner) {
    return {
      crc: exports === undefined ? importedCrcs.get(symbol) : undefined,
      isGplOnly: undefined,
      namespace: undefined,
    };
  }
  return { crc: row.crc, isGplOnly: row.isGplOnly, namespace: row.namespace ?? '' };
}

/**
 * Says of the modules that were read whether the kernel takes them for proprietary: by their licence, or because they
 * use symbols of one that is.
 */
function closedModules(
  { owners, pathOf, dependenciesOf }: TreeIndexes,
  byPath: ReadonlyMap<string, Subject>,
): ReadonlyMap<string, boolean> {
  const closed = new Map<string, boolean>();
  const isClosed = (path: string): boolean => closed.get(path) === true;
  const counts = new Map([...byPath.keys()].map((path) => [path, dependenciesOf(path)?.length ?? 0]));
  const inOrder = [...byPath].sort(([left], [right]) => (counts.get(left) ?? 0) - (counts.get(right) ?? 0));
  for (const [path, subject] of inOrder) {
    const inherits = subject.symbols.imports.some(({ symbol }) => {
      const owner = owners.get(symbol);
      return owner !== undefined && isClosed(pathOf.get(owner) ?? '');
    });
    closed.set(path, isProprietary(subject) || inherits);
  }
  return closed;
}
