import { printable } from '../../printable.ts';
import { markup, type Html } from '../html.ts';
import type { GraphEdge, GraphNode, ModuleGraph } from './graph.ts';
import { layOut, type Point } from './layout.ts';

const BOX_HEIGHT = 46;
const PADDING = 12;
/** How far the frame behind a box stands out. */
const BEHIND = 5;
/** Room around the picture for strokes. */
const MARGIN = 2;
const LABEL_LIMIT = 24;
/** Width of a character in pixels: fixed width at 13 pixels, and an average of the usual sans serifs at 11. */
const LABEL_ADVANCE = 7.9;
const NOTE_ADVANCE = 6;

/**
 * A picture of modules and what they need.
 *
 * @param id Unique in the page.
 * @param description What is to be seen, in one sentence.
 */
export function graphSvg({ nodes, edges }: ModuleGraph, id: string, description: string): Html {
  const boxes = nodes.map((node) => ({ id: node.id, width: widthOf(node), height: BOX_HEIGHT }));
  const layout = layOut(boxes, edges);
  const width = Math.ceil(layout.width + BEHIND + 2 * MARGIN);
  const height = Math.ceil(layout.height + BEHIND + 2 * MARGIN);
  return markup`<svg class="graph" role="img" aria-labelledby="${id}-title" aria-describedby="${id}-desc" width="${width}" height="${height}" viewBox="${-MARGIN} ${-MARGIN} ${width} ${height}">
    <title id="${id}-title">Modules that are loaded together</title>
    <desc id="${id}-desc">${description}</desc>
    <defs>${(['ok', 'broken', 'unknown'] as const).map((status) => arrowHead(`${id}-${status}`, status))}</defs>
    ${edges.map((edge, index) => arrow(edge, layout.arrows[index] ?? [], id))}${nodes.map((node, index) =>
      box(node, layout.boxes.get(node.id), boxes[index]?.width ?? 0),
    )}</svg>`;
}

function arrowHead(id: string, status: GraphEdge['status']): Html {
  return markup`<marker id="${id}" class="${status}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"/></marker>`;
}

/** Through all of its points, level at each of them. */
function arrow({ status }: GraphEdge, points: readonly Point[], id: string): Html | undefined {
  const [start, ...others] = points;
  if (start === undefined) return undefined;
  let from = start;
  const curves = others.map((to) => {
    const middle = round((from.x + to.x) / 2);
    const curve = `C${middle} ${round(from.y)} ${middle} ${round(to.y)} ${round(to.x)} ${round(to.y)}`;
    from = to;
    return curve;
  });
  return markup`<path class="arrow ${status}" marker-end="url(#${id}-${status})" d="M${round(start.x)} ${round(start.y)}${curves.join('')}"/>
  `;
}

function box(
  { label, note, kind, isBad, isReplacing }: GraphNode,
  { x, y }: Point = { x: 0, y: 0 },
  width: number,
): Html {
  const frame = (name: string, offset: number): Html =>
    markup`<rect class="${name}" x="${round(x + offset)}" y="${round(y + offset)}" width="${width}" height="${BOX_HEIGHT}" rx="6"/>`;
  return markup`<g class="box ${kind} ${isBad ? 'bad' : 'good'}"><title>${label}: ${note}</title>
    ${isReplacing ? frame('behind', BEHIND) : undefined}${frame('frame', 0)}
    <text class="label" x="${round(x + PADDING)}" y="${round(y + 20)}">${shorten(label)}</text>
    <text class="about" x="${round(x + PADDING)}" y="${round(y + 36)}">${note}</text></g>
  `;
}

function widthOf({ label, note }: GraphNode): number {
  const text = Math.max(shorten(label).length * LABEL_ADVANCE, note.length * NOTE_ADVANCE);
  return Math.ceil(text + 2 * PADDING);
}

function shorten(label: string): string {
  const text = printable(label).replaceAll('\n', ' ');
  return text.length <= LABEL_LIMIT ? text : `${text.slice(0, LABEL_LIMIT - 1)}…`;
}

/** To a tenth of a pixel. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
