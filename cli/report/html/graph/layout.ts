import { layOutConnected, ROW_GAP } from './connected.ts';

/** A box to place; sizes in pixels. */
export interface Box {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where boxes and arrows come to lie; the upper left corner is 0, 0. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Upper left corners, by id. */
  readonly boxes: ReadonlyMap<string, Point>;
  /** In the order of the arrows given, from box to box; without points where one of the two is not there. */
  readonly arrows: readonly (readonly Point[])[];
}

/** Single boxes stand side by side up to this width. */
const ROW_WIDTH = 640;
/** Between groups that have nothing to do with each other. */
const GROUP_GAP = 28;

/** Places boxes: groups that arrows connect below each other, each from left to right, then boxes without arrows. */
export function layOut(boxes: readonly Box[], arrows: readonly Arrow[]): Layout {
  const places = new Map<string, Point>();
  const paths = new Map<Arrow, readonly Point[]>();
  let width = 0;
  let height = 0;
  const singles: Box[] = [];
  for (const group of groupsOf(boxes, arrows)) {
    const [only] = group;
    if (group.length === 1 && only !== undefined) {
      singles.push(only);
      continue;
    }
    const ids = new Set(group.map(({ id }) => id));
    const inGroup = arrows.filter(({ from, to }) => ids.has(from) && ids.has(to));
    const layout = layOutConnected(group, inGroup);
    const top = height === 0 ? 0 : height + GROUP_GAP;
    const moved = ({ x, y }: Point): Point => ({ x, y: y + top });
    for (const [id, corner] of layout.boxes) places.set(id, moved(corner));
    inGroup.forEach((arrow, index) => paths.set(arrow, (layout.arrows[index] ?? []).map(moved)));
    width = Math.max(width, layout.width);
    height = top + layout.height;
  }

  let x = 0;
  let top = height === 0 ? 0 : height + GROUP_GAP;
  for (const box of singles) {
    if (x > 0 && x + box.width > ROW_WIDTH) {
      x = 0;
      top = height + ROW_GAP;
    }
    places.set(box.id, { x, y: top });
    width = Math.max(width, x + box.width);
    height = Math.max(height, top + box.height);
    x += box.width + ROW_GAP;
  }
  return { width, height, boxes: places, arrows: arrows.map((arrow) => paths.get(arrow) ?? []) };
}

/** Boxes that arrows connect, whatever their direction, in the order of the boxes. */
function groupsOf(boxes: readonly Box[], arrows: readonly Arrow[]): readonly (readonly Box[])[] {
  const neighbours = new Map<string, string[]>(boxes.map(({ id }) => [id, []]));
  for (const { from, to } of arrows) {
    if (from === to || !neighbours.has(from) || !neighbours.has(to)) continue;
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const groupOf = new Map<string, number>();
  let count = 0;
  for (const { id } of boxes) {
    if (groupOf.has(id)) continue;
    const reached = [id];
    groupOf.set(id, count);
    for (let next = reached.pop(); next !== undefined; next = reached.pop()) {
      for (const neighbour of neighbours.get(next) ?? []) {
        if (groupOf.has(neighbour)) continue;
        groupOf.set(neighbour, count);
        reached.push(neighbour);
      }
    }
    count += 1;
  }
  const groups: Box[][] = Array.from({ length: count }, () => []);
  for (const box of boxes) groups[groupOf.get(box.id) ?? 0]?.push(box);
  return groups;
}
