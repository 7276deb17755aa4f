import { ModuleError } from '../../errors.ts';
import { type AliasLines, AliasLinesWriter, KEY_OFFSET, parseAliasLines } from './alias-lines.ts';
import { type ByteOrder, compareBytes, hashName, SYMBOL_BUCKETS } from './hash.ts';

export const SYMBOLS_HEADER = '# Aliases for symbols, used by symbol_request().\n';
const PREFIX = 'symbol:';
/** Bytes between the start of a line and the name of its symbol. */
const NAME_OFFSET = KEY_OFFSET + PREFIX.length;

/**
 * Finds the lines `alias symbol:NAME OWNER` of `modules.symbols`.
 *
 * @throws {ModuleError} `INDEX_INVALID`.
 */
export function parseSymbolLines(text: Buffer, ownerOf: ReadonlyMap<string, number>): AliasLines {
  const lines = parseAliasLines('modules.symbols', text, ownerOf);
  for (let line = 0; line < lines.count; line++) {
    const start = (lines.lineStart[line] ?? 0) + KEY_OFFSET;
    for (let at = 0; at < PREFIX.length; at++) {
      if (text[start + at] === PREFIX.charCodeAt(at)) continue;
      throw new ModuleError(
        'INDEX_INVALID',
        `Cannot read modules.symbols: line ${line + 2} names no symbol`,
        {
          hint: 'Take the index from the image again, or compute all indexes anew with --full.',
        },
      );
    }
  }
  return lines;
}

/** Owner of each symbol by number. */
export function readSymbolOwners(lines: AliasLines): ReadonlyMap<string, number> {
  const owners = new Map<string, number>();
  for (let line = 0; line < lines.count; line++) {
    owners.set(nameOf(lines, line), lines.owner[line] ?? 0);
  }
  return owners;
}

/** Buckets of the symbols, line by line; undefined when the lines are not in the order of depmod's hash table. */
export function readBuckets(lines: AliasLines, byteOrder: ByteOrder): Int32Array | undefined {
  const { text, lineStart, keyEnd, count } = lines;
  const buckets = new Int32Array(count);
  let before = -1;
  let beforeStart = 0;
  let beforeEnd = 0;
  for (let line = 0; line < count; line++) {
    const start = (lineStart[line] ?? 0) + NAME_OFFSET;
    const end = keyEnd[line] ?? 0;
    const bucket = hashName(text, start, end, byteOrder) & (SYMBOL_BUCKETS - 1);
    if (bucket < before) return undefined;
    if (bucket === before && compareBytes(text, beforeStart, beforeEnd, text, start, end) >= 0)
      return undefined;
    buckets[line] = bucket;
    before = bucket;
    beforeStart = start;
    beforeEnd = end;
  }
  return buckets;
}

/** A symbol that gets a line of its own. */
export interface SymbolOwner {
  readonly symbol: string;
  /** Name of the module that exports it. */
  readonly module: string;
  /** Number of that module. */
  readonly owner: number;
}

/** The lines of `modules.symbols` for these symbols, in the order of depmod's hash table. */
export function toSymbolLines(symbols: readonly SymbolOwner[], byteOrder: ByteOrder): AliasLines {
  const lines = sortByHash(symbols, byteOrder);
  const bytes = lines.reduce((sum, { text }) => sum + text.length, 0);
  const writer = new AliasLinesWriter(Buffer.from(SYMBOLS_HEADER, 'latin1'), { bytes, lines: lines.length });
  for (const { text, owner } of lines) writer.add(text, owner);
  return writer.toLines();
}

/**
 * `modules.symbols` without the lines of some modules and with more symbols, each in its place or in place of the line
 * that the base has for it.
 *
 * @param buckets Of `base`, as `readBuckets` gave them.
 */
export function mergeSymbolLines(
  base: AliasLines,
  buckets: Int32Array,
  options: {
    readonly byteOrder: ByteOrder;
    readonly added: readonly SymbolOwner[];
    /** New numbers of the base's modules. */
    readonly owners: Int32Array;
    /** Modules of the base whose lines go. */
    readonly replaced: ReadonlySet<number>;
  },
): AliasLines {
  const added = sortByHash(options.added, options.byteOrder);
  const writer = new AliasLinesWriter(base.text.subarray(0, base.lineStart[0]), {
    bytes: base.text.length + added.reduce((sum, { text }) => sum + text.length, 0),
    lines: base.count + added.length,
  });
  let from = 0;
  const copyTo = (end: number): void => {
    for (let line = from; line < end && options.replaced.size > 0; line++) {
      if (!options.replaced.has(base.owner[line] ?? 0)) continue;
      writer.copy(base, from, line, options.owners);
      from = line + 1;
    }
    writer.copy(base, from, end, options.owners);
    from = end;
  };
  for (const line of added) {
    copyTo(findPlace(base, buckets, line));
    if (from < base.count && isSameName(base, from, line)) from++;
    writer.add(line.text, line.owner);
  }
  copyTo(base.count);
  return writer.toLines();
}

interface HashedLine {
  readonly text: Buffer;
  readonly owner: number;
  readonly bucket: number;
  /** Where the name of the symbol ends in the line. */
  readonly nameEnd: number;
}

function sortByHash(symbols: readonly SymbolOwner[], byteOrder: ByteOrder): readonly HashedLine[] {
  return symbols
    .map(({ symbol, module, owner }) => {
      const text = Buffer.from(`alias ${PREFIX}${symbol} ${module}\n`, 'latin1');
      const nameEnd = NAME_OFFSET + symbol.length;
      return {
        text,
        owner,
        nameEnd,
        bucket: hashName(text, NAME_OFFSET, nameEnd, byteOrder) & (SYMBOL_BUCKETS - 1),
      };
    })
    .sort(
      (left, right) =>
        left.bucket - right.bucket ||
        compareBytes(left.text, NAME_OFFSET, left.nameEnd, right.text, NAME_OFFSET, right.nameEnd),
    );
}

/** First line of the base that comes after a new one. */
function findPlace(base: AliasLines, buckets: Int32Array, added: HashedLine): number {
  let low = 0;
  let high = base.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = (base.lineStart[middle] ?? 0) + NAME_OFFSET;
    const difference =
      (buckets[middle] ?? 0) - added.bucket ||
      compareBytes(base.text, start, base.keyEnd[middle] ?? 0, added.text, NAME_OFFSET, added.nameEnd);
    if (difference < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSameName(base: AliasLines, line: number, added: HashedLine): boolean {
  const start = (base.lineStart[line] ?? 0) + NAME_OFFSET;
  const end = base.keyEnd[line] ?? 0;
  return compareBytes(base.text, start, end, added.text, NAME_OFFSET, added.nameEnd) === 0;
}

function nameOf(lines: AliasLines, line: number): string {
  return lines.text.toString('latin1', (lines.lineStart[line] ?? 0) + NAME_OFFSET, lines.keyEnd[line]);
}
