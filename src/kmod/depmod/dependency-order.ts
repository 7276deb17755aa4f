/** Edges by number of module: what each one needs, in the order in which depmod meets its symbols. */
export type Edges = readonly (readonly number[])[];

const NONE: readonly number[] = [];

/**
 * Asked for each module whose visit sets two or more others free: `pushed.subarray(from, to)` are these, in the order of
 * its edges; the callback may change the order in place.
 */
export type OnPushed = (source: number, pushed: Int32Array, from: number, to: number) => void;

/**
 * Numbers modules as depmod does, those that nobody needs first. Undefined when they form a cycle.
 *
 * @see kmod, `tools/depmod.c`, `depmod_calculate_dependencies()`
 */
export function numberModules(edges: Edges, onPushed?: OnPushed): Int32Array | undefined {
  const count = edges.length;
  const users = new Int32Array(count);
  for (const needs of edges) for (const need of needs) users[need] = (users[need] ?? 0) + 1;
  const stack = new Int32Array(count);
  let top = 0;
  for (let module = 0; module < count; module++) if (users[module] === 0) stack[top++] = module;
  const numbers = new Int32Array(count).fill(-1);
  let next = 0;
  while (top > 0) {
    const source = stack[--top] ?? 0;
    numbers[source] = next++;
    const from = top;
    for (const need of edges[source] ?? NONE) {
      const left = (users[need] ?? 0) - 1;
      users[need] = left;
      if (left === 0) stack[top++] = need;
    }
    if (top - from >= 2) onPushed?.(source, stack, from, top);
  }
  return next === count ? numbers : undefined;
}

/** All modules that each one needs, directly or not, in the order of its line in `modules.dep`. */
export function closeOver(edges: Edges, numbers: Int32Array): Edges {
  const count = edges.length;
  const byNumber = new Int32Array(count);
  numbers.forEach((number, module) => (byNumber[number] = module));
  const closures: (readonly number[])[] = new Array<readonly number[]>(count).fill(NONE);
  const seenBy = new Int32Array(count).fill(-1);
  for (let at = count - 1; at >= 0; at--) {
    const module = byNumber[at] ?? 0;
    const direct = edges[module] ?? NONE;
    if (direct.length === 0) continue;
    const all: number[] = [];
    const add = (need: number): void => {
      if (seenBy[need] === module) return;
      seenBy[need] = module;
      all.push(need);
    };
    for (const need of direct) {
      add(need);
      for (const further of closures[need] ?? NONE) add(further);
    }
    closures[module] = all.sort((left, right) => (numbers[left] ?? 0) - (numbers[right] ?? 0));
  }
  return closures;
}

/**
 * Direct edges that give the same closures, in the order in which depmod met them as far as lines can tell: an edge
 * that a longer way makes needless never decides when a module is numbered, and modules that one visit sets free
 * together are numbered last first. Undefined when a line lacks what its modules need, or a module needs itself.
 */
export function reduce(closures: Edges): Edges | undefined {
  const seenBy = new Int32Array(closures.length).fill(-1);
  const reduced: (readonly number[])[] = [];
  const isIn = new Int32Array(closures.length).fill(-1);
  for (const [module, closure] of closures.entries()) {
    if (closure.length === 0) {
      reduced.push(NONE);
      continue;
    }
    for (const need of closure) isIn[need] = module;
    if (isIn[module] === module) return undefined;
    for (const need of closure) {
      for (const further of closures[need] ?? NONE) {
        if (isIn[further] !== module) return undefined;
        seenBy[further] = module;
      }
    }
    reduced.push(closure.filter((need) => seenBy[need] !== module).reverse());
  }
  return reduced;
}

/** Names of modules that need each other in a circle, the first again at the end. */
export function findCycle(edges: Edges, names: readonly string[]): readonly string[] {
  const state = new Uint8Array(edges.length);
  const at = new Int32Array(edges.length);
  for (let root = 0; root < edges.length; root++) {
    const path = state[root] === 0 ? [root] : [];
    while (path.length > 0) {
      const module = path.at(-1) ?? 0;
      state[module] = 1;
      const position = at[module] ?? 0;
      const need = edges[module]?.[position];
      at[module] = position + 1;
      if (need === undefined) {
        state[module] = 2;
        path.pop();
      } else if (state[need] === 1) {
        return [...path.slice(path.indexOf(need)), need].map((member) => names[member] ?? '');
      } else if (state[need] === 0) {
        path.push(need);
      }
    }
  }
  return [];
}
