import { printable } from '../printable.ts';

const MARKUP = Symbol('markup');

/** Markup that `markup` made. Nothing that was read from outside can be one. */
export interface Html {
  readonly [MARKUP]: string;
}

/** What may stand in a template: text is escaped, markup is not, lists are joined, undefined is nothing. */
export type Part = Html | string | number | undefined | readonly Part[];

/** Longest text from outside that is shown in one place; names and paths are far shorter. */
const TEXT_LIMIT = 1000;

/** Templates without the indentation of the source; each is one object for good. */
const outdented = new WeakMap<TemplateStringsArray, readonly string[]>();

/** A template whose parts are escaped, for text and for attributes in double quotes. */
export function markup(template: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let strings = outdented.get(template);
  if (strings === undefined) {
    strings = template.map((text) => text.replaceAll(/\n +/g, '\n'));
    outdented.set(template, strings);
  }
  let text = strings[0] ?? '';
  for (let index = 0; index < parts.length; index += 1) {
    text += markupOfPart(parts[index]) + (strings[index + 1] ?? '');
  }
  return { [MARKUP]: text };
}

/** Text of several lines, for instance a log, with `limit` as its most characters. */
export function longText(text: string, limit: number): Html {
  return { [MARKUP]: escapeText(cut(printable(text), limit)) };
}

/** The content of `<style>`. Only for text of our own: nothing is escaped there. */
export function styleSheet(css: string): Html {
  return { [MARKUP]: css };
}

/** The finished text. */
export function textOf(part: Html): string {
  return part[MARKUP];
}

function markupOfPart(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return escapeText(cut(printable(part), TEXT_LIMIT));
  if (MARKUP in part) return part[MARKUP];
  return part.map(markupOfPart).join('');
}

/** The one place where text becomes markup. */
function escapeText(text: string): string {
  return text.replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit).replace(/[\ud800-\udbff]$/, '')}…`;
}
