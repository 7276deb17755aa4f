import { ModuleError } from '../../errors.ts';

/** Patterns as depmod.d has them are short; longer ones, or with more repetitions, could take for ever. */
const MAX_LENGTH = 256;
const MAX_REPETITIONS = 4;
const MAX_TIMES = 255;

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: '\\x20\\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\x2f:-@\\x5b-`{-~',
  space: '\\s',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};

/**
 * Says whether a kernel release matches the pattern of an `override` or `external` line: `*` is any, all else is a
 * POSIX extended regular expression, as glibc reads it, that may match anywhere. One that is malformed matches nothing,
 * as in depmod.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for patterns that repeat groups or repetitions, have many of them, or refer
 * to what was matched before.
 */
export function matchesKernel(pattern: string, kernelRelease: string): boolean {
  if (pattern === '*') return true;
  if (pattern.length > MAX_LENGTH) throw tooComplex(pattern);
  const expression = new Translation(pattern).toJavaScript();
  return expression !== undefined && new RegExp(expression).test(kernelRelease);
}

/** The same expression for JavaScript, whose syntax differs where glibc refuses, or reads GNU's own. */
class Translation {
  readonly #pattern: string;
  #at = 0;
  #groups = 0;
  #repetitions = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Undefined for what glibc takes for malformed. */
  toJavaScript(): string | undefined {
    let text = '';
    /** What stands before can be repeated: a plain piece, a group, or nothing that can. */
    let before: 'piece' | 'group' | undefined;
    for (let char = this.#next(); char !== ''; char = this.#next()) {
      if ('*+?{'.includes(char)) {
        const times = before === undefined ? undefined : this.#readTimes(char);
        if (times === undefined) return undefined;
        this.#repetitions++;
        const isDoubled = '*+?{'.includes(this.#pattern[this.#at] ?? 'none');
        if (before === 'group' || isDoubled || this.#repetitions > MAX_REPETITIONS)
          throw tooComplex(this.#pattern);
        text += times;
        continue;
      }
      before = char === '^' || char === '$' || char === '|' || char === '(' ? undefined : 'piece';
      if (char === '(') {
        this.#groups++;
        text += '(?:';
      } else if (char === ')' && this.#groups > 0) {
        this.#groups--;
        text += ')';
        before = 'group';
      } else if (char === '[') {
        const set = this.#readSet();
        if (set === undefined) return undefined;
        text += set;
      } else if (char === '\\') {
        const escaped = this.#next();
        if (escaped === '') return undefined;
        text += this.#readEscape(escaped);
      } else {
        text += '^$|.'.includes(char) ? char : literal(char);
      }
    }
    return this.#groups === 0 ? text : undefined;
  }

  #next(): string {
    return this.#pattern[this.#at++] ?? '';
  }

  #readEscape(char: string): string {
    if (/[wWsS]/.test(char)) return `\\${char}`;
    // Anchors and references of GNU: nobody writes them for kernel releases.
    if (/[<>bB`'1-9]/.test(char)) throw tooComplex(this.#pattern);
    return literal(char);
  }

  /** A repetition; undefined for braces that hold no numbers. */
  #readTimes(char: string): string | undefined {
    if (char !== '{') return char;
    const match = /^(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at));
    const [whole = '', least = '', comma = '', most = ''] = match ?? [];
    if (match === null || (least === '' && comma === '')) return undefined;
    if (comma === ',' && most !== '' && Number(least) > Number(most)) return undefined;
    if (Number(least) > MAX_TIMES || Number(most) > MAX_TIMES) throw tooComplex(this.#pattern);
    this.#at += whole.length;
    return `{${least === '' ? '0' : least}${comma}${most}}`;
  }

  /** What stands in brackets; undefined when it is malformed. */
  #readSet(): string | undefined {
    let set = '[';
    if (this.#pattern[this.#at] === '^') set += this.#next();
    for (let isFirst = true; ; isFirst = false) {
      const char = this.#next();
      if (char === '') return undefined;
      if (char === ']' && !isFirst) return `${set}]`;
      const second = this.#pattern[this.#at] ?? '';
      if (char === '[' && (second === '.' || second === '=')) throw tooComplex(this.#pattern);
      if (char === '[' && second === ':') {
        const [whole = '', name = ''] = /^:([^:\]]*):\]/.exec(this.#pattern.slice(this.#at)) ?? [];
        const members = CLASSES[name];
        if (members === undefined) return undefined;
        this.#at += whole.length;
        if (this.#pattern[this.#at] === '-' && this.#pattern[this.#at + 1] !== ']')
          throw tooComplex(this.#pattern);
        set += members;
        continue;
      }
      const end = this.#pattern[this.#at + 1] ?? '';
      if (second !== '-' || end === ']' || end === '') {
        set += literal(char);
        continue;
      }
      if (end === '[' || end === '-' || char === '-') throw tooComplex(this.#pattern);
      if (end < char) return undefined;
      this.#at += 2;
      set += `${literal(char)}-${literal(end)}`;
    }
  }
}

function literal(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function tooComplex(pattern: string): ModuleError {
  const shown = JSON.stringify(pattern.slice(0, MAX_LENGTH));
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot match kernel releases: the pattern ${shown} is too complex`,
    {
      hint: 'Use a simpler pattern in depmod.d: no repeated groups, at most four repetitions.',
    },
  );
}
