import { normaliseAlias } from './alias-index.ts';
import { type IndexLayout, IndexTrie } from './index-trie.ts';
import { moduleName, toPieces } from './names.ts';

/** `modules.builtin.bin`, made of `modules.builtin`. Empty, without even a header, when there is none: so does depmod. */
export function toBuiltinIndex(builtin: Buffer | undefined, layout: IndexLayout): Buffer {
  if (builtin === undefined) return Buffer.alloc(0);
  // A line without a dot keeps its newline in the name: depmod cuts at the dot only.
  const lines = builtin.toString('latin1').split(/(?<=\n)/);
  const names = lines.filter((line) => /^[A-Za-z]/.test(line)).map(moduleName);
  const keys = toPieces(names);
  const trie = new IndexTrie(keys.bytes, names.length);
  for (let key = 0; key < names.length; key++) trie.insert(keys.start[key] ?? 0, keys.end[key] ?? 0, 0, 0);
  return trie.toBytes(layout, toPieces(['']));
}

/**
 * `modules.builtin.alias.bin`, made of `modules.builtin.modinfo`: strings `module.alias=value`, each with a NUL.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for an alias that a binary index cannot hold.
 */
export function toBuiltinAliasIndex(modinfo: Buffer | undefined, layout: IndexLayout): Buffer {
  if (modinfo === undefined) return Buffer.alloc(0);
  const strings = modinfo.toString('latin1').split('\0').slice(0, -1);
  const aliases: string[] = [];
  const owners: string[] = [];
  for (const text of strings) {
    const match = /^([^.]+)\.alias=([^]+)$/.exec(text);
    if (match === null) continue;
    owners.push(match[1] ?? '');
    aliases.push(match[2] ?? '');
  }
  const keys = toPieces(aliases);
  const trie = new IndexTrie(keys.bytes, aliases.length);
  for (let key = 0; key < aliases.length; key++) {
    const start = keys.start[key] ?? 0;
    const end = keys.end[key] ?? 0;
    if (normaliseAlias('modules.builtin.modinfo', keys.bytes, start, end)) trie.insert(start, end, 0, key);
  }
  return trie.toBytes(layout, toPieces(owners));
}
