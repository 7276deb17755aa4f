import { withoutCredentials } from '../../without-credentials.ts';

/** The text of a file, which knows its lines. They are looked for when the first one is asked for. */
export interface SourceText {
  readonly text: string;
  /** Line and column of an offset, both from 1. */
  readonly placeOf: (offset: number) => { readonly line: number; readonly column: number };
  /** What a line shows from an offset on, fit to be printed: short, and without what may be a secret. */
  readonly shownAt: (offset: number) => string;
  /** The same for a whole line, from 1. */
  readonly shownLine: (line: number) => string;
}

/** Characters of a line that are shown. */
const SHOWN = 120;

export function makeSourceText(text: string): SourceText {
  let starts: number[] | undefined;
  const lineStarts = (): readonly number[] => {
    if (starts !== undefined) return starts;
    starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    return starts;
  };
  const placeOf = (offset: number): { line: number; column: number } => {
    const all = lineStarts();
    let [low, high] = [0, all.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((all[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (all[low] ?? 0) + 1 };
  };
  return {
    text,
    placeOf,
    shownAt(offset) {
      const start = lineStarts()[placeOf(offset).line - 1] ?? 0;
      // What stands before on the same line may be the end of a text that holds a secret.
      return shown(text, /^[\s-]*$/.test(text.slice(start, Math.min(offset, start + 400))) ? start : offset);
    },
    shownLine: (line) => shown(text, lineStarts()[line - 1] ?? text.length),
  };
}

/** Names of things that nobody prints, with what follows them. */
const SECRET =
  /((?:pass(?:word|wd|phrase|wordhash)?|secret|token|credentials?|auths?|api_?key|private_?key|cookie)["']?\s*[=:]\s*)(?!\s*$)\S.*/i;

/** Long runs of base64, but no digests of images. */
const LONG_RUN = /(?<!sha(?:256|512)[:-][0-9a-f]*)[A-Za-z0-9+/=%_-]{48,}/g;

function shown(text: string, from: number): string {
  const end = text.indexOf('\n', from);
  const line = text.slice(from, Math.min(end < 0 ? text.length : end, from + 4 * SHOWN));
  const plain = withoutCredentials(line.replace(/\bdata:.*/i, 'data:...'))
    .replace(SECRET, '$1...')
    .replaceAll(LONG_RUN, (run) => (/[0-9+/=%]/.test(run) ? '...' : run))
    .trimEnd();
  return plain.length <= SHOWN ? plain : `${plain.slice(0, SHOWN).trimEnd()} ...`;
}
