import { ModuleError } from '../../errors.ts';
import type { Import } from '../module.ts';
import type { BaseIndexes } from './base-indexes.ts';
import { closeOver, type Edges, findCycle, numberModules } from './dependency-order.ts';
import type { MergedExports } from './merge-exports.ts';
import { learnableOrders, type MergedDependencies } from './order-alternatives.ts';
import type { Selection } from './select-modules.ts';

/**
 * Finds what each module of the merged tree needs. The base's indexes say what its modules need, but not every direct
 * edge; where an addition makes a difference that only these would show, the modules are named.
 *
 * @throws {ModuleError} `DEPENDENCY_CYCLE`.
 */
export function mergeDependencies(
  base: BaseIndexes,
  selection: Selection,
  exports: MergedExports,
): MergedDependencies {
  const { modules, numberOfBase, replaced } = selection;
  const { closures } = base.dependencies;
  const isUnread = (number: number): boolean => modules[numberOfBase[number] ?? 0]?.module === undefined;
  const listUnread = (isNeeded: (closure: readonly number[]) => boolean): readonly number[] => {
    const needed: number[] = [];
    for (const [number, closure] of closures.entries()) {
      if (isUnread(number) && isNeeded(closure)) needed.push(number);
    }
    return needed;
  };

  if (exports.mayHaveUnknownUsers) {
    const needed = listUnread(() => true);
    if (needed.length > 0) return { kind: 'unknown', needed };
  }
  if (exports.losing.size > 0) {
    const needed = listUnread((closure) => closure.some((need) => exports.losing.has(need)));
    if (needed.length > 0) return { kind: 'unknown', needed };
  }

  const edges = modules.map(({ base: number, module }) => {
    if (module !== undefined) return findProviders(module.imports, exports.owners);
    return (number === undefined ? [] : (base.edges[number] ?? [])).map((need) => numberOfBase[need] ?? 0);
  });
  const numbers = numberModules(edges);
  if (numbers === undefined) throw cycle(edges, selection);
  if (replaced.size > 0) {
    const merged = closeOver(edges, numbers);
    const needed = listUnreadThatLose(base, selection, merged).filter(isUnread);
    if (needed.length > 0) return { kind: 'unknown', needed };
  }
  return learnableOrders(base, selection, edges);
}

/** What a module needs directly, in the order in which depmod meets its symbols. */
export function findProviders(
  imports: readonly Import[],
  owners: ReadonlyMap<string, number>,
): readonly number[] {
  const providers = new Set<number>();
  for (const { symbol } of imports) {
    const owner = owners.get(symbol);
    if (owner !== undefined) providers.add(owner);
  }
  return [...providers];
}

/** @returns The error that names modules which need each other. */
export function cycle(
  edges: Edges,
  selection: { readonly modules: readonly { readonly name: string }[] },
): ModuleError {
  const names = findCycle(
    edges,
    selection.modules.map(({ name }) => name),
  );
  return new ModuleError(
    'DEPENDENCY_CYCLE',
    `Cannot index modules that need each other: ${names.join(' -> ')}`,
    {
      hint: 'depmod writes nothing for such a tree and modprobe could load none of them; break the circle.',
    },
  );
}

/**
 * Modules of the base that no longer get all they needed through others: a replacement needs less than what it
 * replaces, and whether they need the rest themselves stands only in their files.
 */
function listUnreadThatLose(
  base: BaseIndexes,
  { numberOfBase }: Selection,
  merged: Edges,
): readonly number[] {
  const seenBy = new Int32Array(merged.length).fill(-1);
  const losing: number[] = [];
  for (const [number, closure] of base.dependencies.closures.entries()) {
    if (closure.length === 0) continue;
    for (const need of merged[numberOfBase[number] ?? 0] ?? []) seenBy[need] = number;
    if (closure.some((need) => seenBy[numberOfBase[need] ?? 0] !== number)) losing.push(number);
  }
  return losing;
}
