import { ModuleError } from '../../errors.ts';
import { type AliasLines, KEY_OFFSET } from './alias-lines.ts';
import { type IndexLayout, IndexTrie } from './index-trie.ts';
import type { Pieces } from './names.ts';

const DASH = 0x2d;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const UNDERSCORE = 0x5f;
/** depmod's buffer for a normalised alias holds this much (`PATH_MAX - 1`). */
const MAX_KEY = 4095;

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

function notAscii(file: string): ModuleError {
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot index ${file}: a name holds characters outside of 7-bit ASCII`,
    { hint: 'The binary index cannot hold such a name; rename the alias in the module.' },
  );
}
