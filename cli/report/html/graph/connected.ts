import type { Arrow, Box, Layout, Point } from './layout.ts';

const COLUMN_GAP = 72;
/** Between boxes of a column. */
export const ROW_GAP = 18;
const SWEEPS = 12;

/** A box, or the place where a long arrow passes a column. */
interface Cell {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly column: number;
  readonly left: Cell[];
  readonly right: Cell[];
  y: number;
}

/**
 * Places boxes that are all connected in columns, so that arrows point to the right and few of them cross; the result
 * is the same every time. Arrows that would close a circle, or that lead to their own box, go straight and have no say.
 * Time grows with the square of the number of boxes.
 *
 * @see Sugiyama, Tagawa, Toda: Methods for visual understanding of hierarchical system structures (1981)
 */
export function layOutConnected(boxes: readonly Box[], arrows: readonly Arrow[]): Layout {
  const forward = withoutCircles(boxes, arrows);
  const columnOf = columnsOf(boxes, forward);
  const cells = new Map<string, Cell>();
  const columns: Cell[][] = [];
  const addCell = (box: Box, column: number): Cell => {
    const cell: Cell = { ...box, column, left: [], right: [], y: 0 };
    (columns[column] ??= []).push(cell);
    return cell;
  };
  for (const box of boxes) cells.set(box.id, addCell(box, columnOf.get(box.id) ?? 0));
  const paths = new Map(forward.map((arrow) => [arrow, pathOf(arrow, cells, addCell)]));

  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isRightwards = sweep % 2 === 0;
    for (const column of isRightwards ? columns : columns.toReversed()) {
      orderBy(column, isRightwards ? 'left' : 'right');
    }
  }
  for (const column of columns) stack(column);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of sweep % 2 === 0 ? columns : columns.toReversed()) align(column);
  }

  const top = Math.min(0, ...columns.flat().map(({ y }) => y));
  const height = Math.max(0, ...columns.flat().map((cell) => cell.y - top + cell.height));
  const starts: number[] = [];
  const widths = columns.map((column) => Math.max(0, ...column.map((cell) => cell.width)));
  let width = 0;
  for (const columnWidth of widths) {
    starts.push(width);
    width += columnWidth + COLUMN_GAP;
  }
  const cornerOf = (cell: Cell): Point => ({ x: starts[cell.column] ?? 0, y: cell.y - top });
  return {
    width: Math.max(0, width - COLUMN_GAP),
    height,
    boxes: new Map([...cells].map(([id, cell]) => [id, cornerOf(cell)])),
    arrows: arrows.map((arrow) => {
      const from = cells.get(arrow.from);
      const to = cells.get(arrow.to);
      if (from === undefined || to === undefined) return [];
      return (paths.get(arrow) ?? [from, to]).flatMap((cell, index, path) => {
        const corner = cornerOf(cell);
        const y = corner.y + cell.height / 2;
        const left = { x: corner.x, y };
        if (index === 0) return [{ x: corner.x + cell.width, y }];
        // Between its ends, an arrow crosses the whole column.
        return index === path.length - 1 ? [left] : [left, { x: corner.x + (widths[cell.column] ?? 0), y }];
      });
    }),
  };
}

/** Arrows that point from left to right in some order of the boxes. */
function withoutCircles(boxes: readonly Box[], arrows: readonly Arrow[]): readonly Arrow[] {
  const from = new Map<string, Arrow[]>(boxes.map(({ id }) => [id, []]));
  for (const arrow of arrows) {
    if (arrow.from !== arrow.to && from.has(arrow.to)) from.get(arrow.from)?.push(arrow);
  }
  const state = new Map<string, 'open' | 'done'>();
  const kept = new Set<Arrow>();
  for (const { id } of boxes) {
    const stack: { readonly id: string; next: number }[] = state.has(id) ? [] : [{ id, next: 0 }];
    state.set(id, state.get(id) ?? 'open');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const arrow = from.get(top.id)?.[top.next++];
      if (arrow === undefined) {
        state.set(top.id, 'done');
        stack.pop();
        continue;
      }
      const reached = state.get(arrow.to);
      if (reached === 'open') continue;
      kept.add(arrow);
      if (reached === 'done') continue;
      state.set(arrow.to, 'open');
      stack.push({ id: arrow.to, next: 0 });
    }
  }
  return arrows.filter((arrow) => kept.has(arrow));
}

/** The longest way to each box; then those without a way to them move next to what they point at. */
function columnsOf(boxes: readonly Box[], arrows: readonly Arrow[]): ReadonlyMap<string, number> {
  const columns = new Map(boxes.map(({ id }) => [id, 0]));
  const columnOf = (id: string): number => columns.get(id) ?? 0;
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const { from, to } of arrows) {
      if (columnOf(to) > columnOf(from)) continue;
      columns.set(to, columnOf(from) + 1);
      isMoving = true;
    }
  }
  const hasArrowTo = new Set(arrows.map(({ to }) => to));
  for (const { id } of boxes) {
    const targets = arrows.filter(({ from }) => from === id).map(({ to }) => columnOf(to));
    if (targets.length > 0 && !hasArrowTo.has(id)) columns.set(id, Math.min(...targets) - 1);
  }
  return columns;
}

/** The cells that an arrow passes, both ends included; makes those between. */
function pathOf(
  { from, to }: Arrow,
  cells: ReadonlyMap<string, Cell>,
  addCell: (box: Box, column: number) => Cell,
): readonly Cell[] {
  const start = cells.get(from);
  const end = cells.get(to);
  if (start === undefined || end === undefined) return [];
  const path = [start];
  for (let column = start.column + 1; column < end.column; column += 1) {
    path.push(addCell({ id: `${from}\n${to}`, width: 0, height: 0 }, column));
  }
  path.push(end);
  path.forEach((cell, index) => {
    const next = path[index + 1];
    if (next === undefined) return;
    cell.right.push(next);
    next.left.push(cell);
  });
  return path;
}

/** Sorts a column by the mean place of its neighbours on one side; what has none stays where it is. */
function orderBy(column: Cell[], side: 'left' | 'right'): void {
  const places = column.map((cell, index) => {
    const neighbours = cell[side];
    return {
      cell,
      place: neighbours.length === 0 ? index : mean(neighbours.map((neighbour) => neighbour.y)),
    };
  });
  places.sort((a, b) => a.place - b.place);
  places.forEach(({ cell }, index) => {
    column[index] = cell;
    cell.y = index;
  });
}

/** One below the other, centred on 0. */
function stack(column: readonly Cell[]): void {
  const height = column.reduce((sum, cell) => sum + cell.height + ROW_GAP, -ROW_GAP);
  let y = -height / 2;
  for (const cell of column) {
    cell.y = y;
    y += cell.height + ROW_GAP;
  }
}

/** Moves cells towards the middle of their neighbours, as far as those above and below let them. */
function align(column: readonly Cell[]): void {
  const wanted = column.map((cell) => {
    const neighbours = [...cell.left, ...cell.right];
    if (neighbours.length === 0) return cell.y;
    return mean(neighbours.map((neighbour) => neighbour.y + neighbour.height / 2)) - cell.height / 2;
  });
  let free = -Infinity;
  column.forEach((cell, index) => {
    cell.y = Math.max(wanted[index] ?? 0, free);
    free = cell.y + cell.height + ROW_GAP;
  });
  const shift = mean(column.map((cell, index) => (wanted[index] ?? 0) - cell.y));
  for (const cell of column) cell.y += shift;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
