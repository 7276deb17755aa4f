import { ModuleError } from '../../errors.ts';
import type { AliasLines } from './alias-lines.ts';
import type { BaseIndexes } from './base-indexes.ts';
import type { Selection } from './select-modules.ts';
import { mergeSymbolLines, readSymbolOwners, type SymbolOwner } from './symbol-lines.ts';

/** Where the kernel's build had a symbol: `vmlinux`, or a module's path without extension. */
export type Symvers = ReadonlyMap<string, { readonly owner: string }>;

/** Who exports what in the merged tree. */
export interface MergedExports {
  /** New number of the module that exports each symbol. */
  readonly owners: ReadonlyMap<string, number>;
  /** The new `modules.symbols`. */
  readonly lines: AliasLines;
  /** Replaced modules of the base, by number there, whose replacement lacks a symbol that they export. */
  readonly losing: ReadonlySet<number>;
  /** A symbol is new to the base, but not to its kernel: modules of the base may import it. */
  readonly mayHaveUnknownUsers: boolean;
}

/**
 * Joins what added modules export with what the base's modules do.
 *
 * @throws {ModuleError} `DUPLICATE_EXPORT` when two modules, or a module and the kernel, export one symbol.
 */
export function mergeExports(
  base: BaseIndexes,
  selection: Selection,
  symvers: Symvers | undefined,
): MergedExports {
  const { modules, numberOfBase, replaced } = selection;
  const baseOwners = readSymbolOwners(base.symbols);
  const owners = new Map<string, number>();
  const lost = new Map<string, number>();
  for (const [symbol, owner] of baseOwners) {
    if (replaced.has(owner)) lost.set(symbol, owner);
    else owners.set(symbol, numberOfBase[owner] ?? 0);
  }
  const added: SymbolOwner[] = [];
  const namespaces = new Map<string, SymbolOwner>();
  let mayHaveUnknownUsers = false;
  for (const [number, { name, isAdded, module }] of modules.entries()) {
    if (!isAdded || module === undefined) continue;
    for (const namespace of module.namespaceNames) {
      checkSymbol(name, namespace);
      const other = baseOwners.get(namespace);
      if (other !== undefined && replaced.has(other)) throw hiddenOwner(namespace);
      // Of several modules with one namespace depmod lists the last.
      if ((owners.get(namespace) ?? -1) >= number) continue;
      owners.set(namespace, number);
      namespaces.set(namespace, { symbol: namespace, module: name, owner: number });
    }
    for (const symbol of new Set(module.exports.map((exported) => exported.symbol))) {
      checkSymbol(name, symbol);
      const other = owners.get(symbol);
      if (other !== undefined) throw duplicateExport(symbol, name, modules[other]?.path ?? '');
      owners.set(symbol, number);
      added.push({ symbol, module: name, owner: number });
      if (lost.get(symbol) === modules[number]?.base) lost.delete(symbol);
      if (baseOwners.has(symbol)) continue;
      const inTree = symvers?.get(symbol)?.owner;
      if (inTree === 'vmlinux') throw duplicateExport(symbol, name, 'the kernel itself (vmlinux)');
      if (inTree !== undefined) mayHaveUnknownUsers = true;
    }
  }
  for (const [symbol, owner] of lost) {
    const replacement = modules[numberOfBase[owner] ?? 0]?.module;
    if (replacement?.hasVersions === false) throw hiddenOwner(symbol);
  }
  const lines = mergeSymbolLines(base.symbols, base.symbolBuckets, {
    byteOrder: base.byteOrder,
    added: [...added, ...namespaces.values()],
    owners: numberOfBase,
    replaced,
  });
  return { owners, lines, losing: new Set(lost.values()), mayHaveUnknownUsers };
}

/** In a tree without CRCs several modules may have one name, and the index lists one of them. */
function hiddenOwner(symbol: string): ModuleError {
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot tell whether another module of the base exports ${symbol}, too, once the one that is listed is replaced`,
    { hint: 'The modules have no CRCs: compute all indexes anew from the modules themselves with --full.' },
  );
}

/** Symbols become words of a text index and keys of a binary one. */
export function checkSymbol(name: string, symbol: string): void {
  if (/^[\x21-\x7e]+$/.test(symbol)) return;
  throw new ModuleError('MODINFO_INVALID', `Cannot index the module ${name}: a symbol is not plain text`, {
    hint: 'Names of exported symbols must be printable ASCII without blanks.',
  });
}

function duplicateExport(symbol: string, name: string, other: string): ModuleError {
  return new ModuleError(
    'DUPLICATE_EXPORT',
    `Cannot index the module ${name}: it exports ${symbol}, as does ${other}`,
    {
      hint: 'The kernel refuses to load the second of them; rename the symbol, or replace the whole module.',
    },
  );
}
