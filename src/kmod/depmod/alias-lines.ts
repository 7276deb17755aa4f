import { ModuleError } from '../../errors.ts';
import { type IndexLayout, IndexTrie } from './index-trie.ts';
import type { Pieces } from './names.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const DASH = 0x2d;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const UNDERSCORE = 0x5f;
const KEYWORD = Buffer.from('alias ');
/** A line has at least this many bytes: `alias a b` and the newline. */
const SHORTEST_LINE = 10;
/** depmod's buffer for a normalised alias holds this much (`PATH_MAX - 1`). */
const MAX_KEY = 4095;

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

/**
 * `modules.symbols.bin`, made of the lines of `modules.symbols`: keys stand as they are.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for a key outside of 7-bit text.
 */
export function toSymbolIndex(lines: AliasLines, names: Pieces, layout: IndexLayout): Buffer {
  const trie = new IndexTrie(lines.text, lines.count);
  for (let line = 0; line < lines.count; line++) {
    const start = (lines.lineStart[line] as number) + KEY_OFFSET;
    const end = lines.keyEnd[line] as number;
    for (let at = start; at < end; at++)
      if ((lines.text[at] as number) > 127) throw notAscii('modules.symbols');
    const owner = lines.owner[line] as number;
    trie.insert(start, end, owner, owner);
  }
  return trie.toBytes(layout, names);
}

/**
 * `modules.alias.bin`, made of the lines of `modules.alias`: keys are normalised, and those with a bracket that has
 * no partner are left out, as depmod does.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for a key outside of 7-bit text.
 */
export function toAliasIndex(lines: AliasLines, names: Pieces, layout: IndexLayout): Buffer {
  const keys = Buffer.from(lines.text);
  const trie = new IndexTrie(keys, lines.count);
  for (let line = 0; line < lines.count; line++) {
    const start = (lines.lineStart[line] as number) + KEY_OFFSET;
    const end = Math.min(lines.keyEnd[line] as number, start + MAX_KEY);
    const owner = lines.owner[line] as number;
    if (normaliseAlias('modules.alias', keys, start, end)) trie.insert(start, end, owner, owner);
  }
  return trie.toBytes(layout, names);
}

/**
 * Turns `-` into `_` outside of brackets, in place. False for brackets that do not match.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for bytes outside of 7-bit text.
 * @see kmod, `shared/util.c`, `alias_normalize()`
 */
export function normaliseAlias(file: string, bytes: Uint8Array, start: number, end: number): boolean {
  let isInBrackets = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 127) throw notAscii(file);
    if (isInBrackets) isInBrackets = byte !== CLOSE;
    else if (byte === DASH) bytes[at] = UNDERSCORE;
    else if (byte === OPEN) isInBrackets = true;
    else if (byte === CLOSE) return false;
  }
  return !isInBrackets;
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

function notAscii(file: string): ModuleError {
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot index ${file}: a name holds characters outside of 7-bit ASCII`,
    { hint: 'The binary index cannot hold such a name; rename the alias in the module.' },
  );
}
