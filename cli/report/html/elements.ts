import { markup, type Html, type Part } from './html.ts';
import { firstOf, formatCount, type Cut } from './limits.ts';

export interface TableContent<T> {
  readonly caption: Part;
  readonly columns: readonly string[];
  readonly rows: readonly T[];
  /** Cells of a row; the first is its header. */
  readonly cells: (row: T) => readonly Part[];
  /** Rows that are shown. */
  readonly limit: number;
  readonly kind?: 'checks' | 'symbols' | 'matrix' | 'sizes';
}

/** A table, and what says that it was cut. */
export function table<T>({ caption, columns, rows, cells, limit, kind }: TableContent<T>): Html {
  const { shown, more } = firstOf(rows, limit);
  return markup`<table${kind === undefined ? undefined : markup` class="${kind}"`}>
    <caption>${caption}</caption>
    <thead><tr>${columns.map((column) => markup`<th scope="col">${column}</th>`)}</tr></thead>
    <tbody>
    ${shown.map((row) => tableRow(cells(row)))}</tbody></table>${moreNote(more)}`;
}

function tableRow([header, ...others]: readonly Part[]): Html {
  return markup`<tr><th scope="row">${header}</th>${others.map((cell) => markup`<td>${cell}</td>`)}</tr>
  `;
}

export function list<T>(items: Cut<T>, item: (item: T) => Part): Html | undefined {
  if (items.shown.length === 0) return undefined;
  return markup`<ul>${items.shown.map((one) => markup`<li>${item(one)}</li>`)}</ul>${moreNote(items.more)}`;
}

/** Names and values; what has no value is left out. */
export function definitions(
  kind: 'facts' | 'figures' | 'compare' | 'glossary',
  entries: readonly (readonly [string, Part])[],
): Html | undefined {
  const given = entries.filter(([, value]) => value !== undefined);
  if (given.length === 0) return undefined;
  return markup`<dl class="${kind}">${given.map(
    ([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`;
}

export interface Folded {
  readonly summary: Part;
  readonly content: Part;
  /** What is long stays folded on paper. */
  readonly isLong?: boolean;
  readonly isOpen?: boolean;
}

export function folded({ summary, content, isLong = false, isOpen = false }: Folded): Html {
  return markup`<details class="${isLong ? 'long' : 'short'}"${isOpen ? markup` open` : undefined}>
    <summary>${summary}</summary>
    ${content}</details>
  `;
}

/** What may be wider than the window is scrolled by itself, with the keyboard, too. */
export function scrollable(label: Part, content: Part): Html {
  return markup`<div class="scroll" role="group" tabindex="0" aria-label="${label}, can be scrolled">${content}</div>`;
}

/** Part of a page below a heading. Only those of level 2 are landmarks: names of others come again and again. */
export function section(
  heading: { readonly level: 2 | 3; readonly id: string; readonly text: Part },
  content: Part,
): Html {
  const { level, id, text } = heading;
  return markup`<section class="level-${level}"${level === 2 ? markup` aria-labelledby="${id}"` : undefined}>
    <h${level} id="${id}">${text}</h${level}>
    ${content}</section>
  `;
}

export function code(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : markup`<code>${text}</code>`;
}

/** Says that a list was cut, and where the rest is. */
export function moreNote(more: number): Html | undefined {
  return more === 0
    ? undefined
    : markup`<p class="note">And ${formatCount(more)} more, which are in the report as JSON.</p>`;
}
