import { ModuleError } from '../../errors.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const KEYWORD = Buffer.from('alias ');
/** A line has at least this many bytes: `alias a b` and the newline. */
const SHORTEST_LINE = 10;

/** Where the lines `alias KEY OWNER` of `modules.alias` or `modules.symbols` stand, and whose they are. */
export interface AliasLines {
  readonly text: Buffer;
  readonly count: number;
  /** One more entry than lines: the last is the end of the text. Keys follow `alias `. */
  readonly lineStart: Int32Array;
  readonly keyEnd: Int32Array;
  /** Number of the module that each line names. */
  readonly owner: Int32Array;
}

/** Bytes between the start of a line and its key. */
export const KEY_OFFSET = KEYWORD.length;

/**
 * Finds the lines of `modules.alias` or `modules.symbols`, after the comment at the top.
 *
 * @param file Name of the file, for messages.
 * @param ownerOf Number of each module by name.
 * @throws {ModuleError} `INDEX_INVALID` for other lines, or a module that is not there.
 */
export function parseAliasLines(
  file: string,
  text: Buffer,
  ownerOf: ReadonlyMap<string, number>,
): AliasLines {
  const capacity = Math.floor(text.length / SHORTEST_LINE) + 1;
  const lineStart = new Int32Array(capacity + 1);
  const keyEnd = new Int32Array(capacity);
  const owners = new Int32Array(capacity);
  let count = 0;
  let start = headerLength(text);
  let space = 0;
  let nameStart = 0;
  let nameEnd = 0;
  let owner = 0;
  for (let at = start; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte === SPACE) space = at;
    if (byte !== NEWLINE) continue;
    if (space < start + KEY_OFFSET || space + 1 === at || !startsWith(text, start, KEYWORD))
      throw invalidLine(file, count);
    if (!isSame(text, space + 1, at, nameStart, nameEnd)) {
      nameStart = space + 1;
      nameEnd = at;
      const found = ownerOf.get(text.toString('latin1', nameStart, nameEnd));
      if (found === undefined) throw invalidLine(file, count);
      owner = found;
    }
    lineStart[count] = start;
    keyEnd[count] = space;
    owners[count] = owner;
    count++;
    start = at + 1;
  }
  if (start !== text.length) throw invalidLine(file, count);
  lineStart[count] = start;
  return {
    text,
    count,
    lineStart: lineStart.subarray(0, count + 1),
    keyEnd: keyEnd.subarray(0, count),
    owner: owners.subarray(0, count),
  };
}

/** Length of the comment lines at the top of a text index. */
export function headerLength(text: Buffer): number {
  let at = 0;
  while (text[at] === HASH) {
    const newline = text.indexOf(NEWLINE, at);
    at = newline < 0 ? text.length : newline + 1;
  }
  return at;
}

/** Puts lines one after the other, from other texts or anew. */
export class AliasLinesWriter {
  readonly #text: Buffer;
  readonly #lineStart: Int32Array;
  readonly #keyEnd: Int32Array;
  readonly #owner: Int32Array;
  #count = 0;
  #sizeBytes = 0;

  /** @param size Most bytes and lines that will come. */
  constructor(header: Buffer, size: { readonly bytes: number; readonly lines: number }) {
    this.#text = Buffer.allocUnsafe(header.length + size.bytes);
    this.#lineStart = new Int32Array(size.lines + 1);
    this.#keyEnd = new Int32Array(size.lines);
    this.#owner = new Int32Array(size.lines);
    header.copy(this.#text);
    this.#sizeBytes = header.length;
  }

  /** Copies the lines from `first` to the one before `end`. `owners` gives new numbers of modules by old ones. */
  copy(from: AliasLines, first: number, end: number, owners: Int32Array): void {
    const start = from.lineStart[first] as number;
    const shift = this.#sizeBytes - start;
    from.text.copy(this.#text, this.#sizeBytes, start, from.lineStart[end]);
    for (let line = first; line < end; line++) {
      const at = this.#count++;
      this.#lineStart[at] = (from.lineStart[line] as number) + shift;
      this.#keyEnd[at] = (from.keyEnd[line] as number) + shift;
      this.#owner[at] = owners[from.owner[line] as number] as number;
    }
    this.#sizeBytes = (from.lineStart[end] as number) + shift;
  }

  /** Adds one line, with its newline. */
  add(line: Buffer, owner: number): void {
    line.copy(this.#text, this.#sizeBytes);
    this.#lineStart[this.#count] = this.#sizeBytes;
    this.#keyEnd[this.#count] = this.#sizeBytes + line.lastIndexOf(SPACE);
    this.#owner[this.#count] = owner;
    this.#count++;
    this.#sizeBytes += line.length;
  }

  toLines(): AliasLines {
    this.#lineStart[this.#count] = this.#sizeBytes;
    return {
      text: this.#text.subarray(0, this.#sizeBytes),
      count: this.#count,
      lineStart: this.#lineStart.subarray(0, this.#count + 1),
      keyEnd: this.#keyEnd.subarray(0, this.#count),
      owner: this.#owner.subarray(0, this.#count),
    };
  }
}

function startsWith(text: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let at = 0; at < prefix.length; at++) if (text[start + at] !== prefix[at]) return false;
  return true;
}

function isSame(text: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let at = start, other = otherStart; at < end; at++, other++) {
    if (text[at] !== text[other]) return false;
  }
  return true;
}

function invalidLine(file: string, line: number): ModuleError {
  return new ModuleError('INDEX_INVALID', `Cannot read ${file}: line ${line + 2} is damaged`, {
    hint: 'Take the index from the image again, or compute all indexes anew with --full.',
  });
}
