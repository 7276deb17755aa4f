import { type ByteOrder, hashName, MODULE_BUCKETS } from './hash.ts';
import type { IndexLayout } from './index-trie.ts';
import { toPieces, uncompressedPath } from './names.ts';

/** Longest line that depmod reads from `modules.order` in one piece (`PATH_MAX`). */
const MAX_LINE = 4095;
const LAST = 2 ** 31 - 1;

/** Positions in `modules.order`, by path without a suffix of compression. */
export type Positions = ReadonlyMap<string, number>;

/**
 * Reads `modules.order`. A file whose last line has no end is not used at all: so does depmod. Of two equal lines kmod
 * keeps the last, and from version 34 on, which also brought the other layout, the first.
 */
export function readPositions(order: Buffer | undefined, layout: IndexLayout): Positions {
  const positions = new Map<string, number>();
  if (order === undefined) return positions;
  const lines = order.toString('latin1', 0, order.length).split('\n');
  if (lines.pop() !== '') return positions;
  for (const [at, line] of lines.entries()) {
    if (line.length > MAX_LINE) continue;
    if (layout === 'post-order' || !positions.has(line)) positions.set(line, at);
  }
  return positions;
}

/**
 * Order in which depmod numbers modules: as `modules.order` has them, then all others as its hash table has them.
 *
 * @returns Indexes into `modules`.
 * @see kmod, `tools/depmod.c`, `depmod_modules_sort()`
 */
export function orderModules(
  modules: readonly { readonly name: string; readonly path: string }[],
  positions: Positions,
  byteOrder: ByteOrder,
): Int32Array {
  const names = toPieces(modules.map(({ name }) => name));
  const position = new Int32Array(modules.length);
  const bucket = new Int32Array(modules.length);
  for (const [index, { path }] of modules.entries()) {
    // Modules outside of the kernel's directory have absolute paths and no place in modules.order.
    const found = path.startsWith('/') ? undefined : positions.get(uncompressedPath(path));
    position[index] = found ?? LAST;
    if (found !== undefined) continue;
    const start = names.start[index] ?? 0;
    bucket[index] = hashName(names.bytes, start, names.end[index] ?? 0, byteOrder) & (MODULE_BUCKETS - 1);
  }
  const nameOf = (index: number): string => modules[index]?.name ?? '';
  return Int32Array.from(modules.keys()).sort(
    (left, right) =>
      (position[left] ?? 0) - (position[right] ?? 0) ||
      (bucket[left] ?? 0) - (bucket[right] ?? 0) ||
      (nameOf(left) < nameOf(right) ? -1 : 1),
  );
}
