import type { BaseIndexes } from './base-indexes.ts';
import { closeOver, type Edges, numberModules } from './dependency-order.ts';
import type { Selection } from './select-modules.ts';

/** The lines of the merged `modules.dep`, or the base's modules (by number there) that must be read to know them. */
export type MergedDependencies =
  | { readonly kind: 'known'; readonly closures: Edges }
  | { readonly kind: 'unknown'; readonly needed: readonly number[] };

/** Runs of the numbering that are tried before the modules in question are asked for. */
const MAX_RUNS = 48;

/** Orders that were chosen for what a module's visit sets free, by that module's number. */
type Choices = ReadonlyMap<number, readonly number[]>;

interface OpenOrder {
  readonly source: number;
  readonly pushed: readonly number[];
}

/**
 * Numbers the modules of the merged tree. Where a module of the base sets others free together that it did not set
 * free together in the base, the order of its symbols is not known: all orders are tried, and only when they give
 * different lines the module must be read.
 *
 * @param edges Without a cycle.
 */
export function learnableOrders(base: BaseIndexes, selection: Selection, edges: Edges): MergedDependencies {
  const { modules } = selection;
  const needed = new Set<number>();
  const queue: Choices[] = [new Map()];
  let lines: Edges | undefined;
  let isSame = true;
  for (let run = 0; run < queue.length; run++) {
    const choices = queue[run] ?? new Map<number, readonly number[]>();
    let open: OpenOrder | undefined;
    const numbers = numberModules(edges, (source, stack, from, to) => {
      const module = modules[source];
      if (module?.base === undefined || module.module !== undefined) return;
      const pushed = stack.subarray(from, to);
      const known = base.learned.get(module.base);
      if (pushed.every((need) => isKnown(known, modules[need]?.base))) return;
      needed.add(module.base);
      const chosen = choices.get(source);
      if (chosen?.length === pushed.length) pushed.set(chosen);
      else open ??= { source, pushed: [...pushed] };
    });
    const closures = numbers === undefined ? [] : closeOver(edges, numbers);
    lines ??= closures;
    isSame &&= isEqual(lines, closures);
    if (!isSame) break;
    if (open === undefined) continue;
    const { source, pushed } = open;
    const known = base.learned.get(modules[source]?.base ?? -1);
    const orders = listOrders(pushed, (need) => isKnown(known, modules[need]?.base));
    if (orders === undefined || queue.length + orders.length > MAX_RUNS) {
      isSame = false;
      break;
    }
    for (const order of orders) queue.push(new Map([...choices, [source, order]]));
  }
  return isSame
    ? { kind: 'known', closures: lines ?? [] }
    : { kind: 'unknown', needed: [...needed].sort(ascending) };
}

function isKnown(known: ReadonlySet<number> | undefined, base: number | undefined): boolean {
  return known !== undefined && base !== undefined && known.has(base);
}

/** All orders in which those that are known keep theirs; undefined when there are too many to try. */
function listOrders(
  pushed: readonly number[],
  isInOrder: (need: number) => boolean,
): readonly (readonly number[])[] | undefined {
  const ordered = pushed.filter(isInOrder);
  const free = pushed.filter((need) => !isInOrder(need));
  let orders: (readonly number[])[] = [ordered];
  for (const need of free) {
    const longer: (readonly number[])[] = [];
    for (const order of orders) {
      for (let at = 0; at <= order.length; at++) longer.push(order.toSpliced(at, 0, need));
    }
    if (longer.length > MAX_RUNS) return undefined;
    orders = longer;
  }
  return orders;
}

function isEqual(left: Edges, right: Edges): boolean {
  return left.every((line, module) => {
    const other = right[module];
    return other?.length === line.length && line.every((need, at) => need === other[at]);
  });
}

function ascending(left: number, right: number): number {
  return left - right;
}
