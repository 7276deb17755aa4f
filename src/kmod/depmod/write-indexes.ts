import { toAliasIndex, toSymbolIndex } from './alias-index.ts';
import type { AliasLines } from './alias-lines.ts';
import type { Edges } from './dependency-order.ts';
import { toDependencyLines } from './dependencies-file.ts';
import type { MergedFile } from './index-format.ts';
import { type IndexLayout, IndexTrie } from './index-trie.ts';
import { type Pieces, toPieces } from './names.ts';

/** Everything that depmod writes about modules, before it takes the form of files. */
export interface IndexContent {
  /** By number of module. */
  readonly paths: readonly string[];
  readonly names: readonly string[];
  /** All that each module needs, in the order of its line. */
  readonly closures: Edges;
  readonly alias: AliasLines;
  readonly symbols: AliasLines;
  readonly softdep: Buffer;
  readonly weakdep: Buffer;
  readonly devname: Buffer;
}

/**
 * The files of a kernel's indexes.
 *
 * @param isWanted Says which; what is not wanted is not computed.
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for names that a binary index cannot hold.
 */
export function writeIndexes(
  content: IndexContent,
  layout: IndexLayout,
  isWanted: (file: MergedFile) => boolean,
): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const names = toPieces(content.names);
  const add = (file: MergedFile, make: () => Buffer): void => {
    if (isWanted(file)) files.set(file, make());
  };
  const lines = toPieces(toDependencyLines(content.paths, content.closures), '\n');
  add('modules.dep', () => lines.bytes);
  add('modules.dep.bin', () => toDependencyIndex(names, lines, layout));
  add('modules.alias', () => content.alias.text);
  add('modules.alias.bin', () => toAliasIndex(content.alias, names, layout));
  add('modules.softdep', () => content.softdep);
  add('modules.weakdep', () => content.weakdep);
  add('modules.symbols', () => content.symbols.text);
  add('modules.symbols.bin', () => toSymbolIndex(content.symbols, names, layout));
  add('modules.devname', () => content.devname);
  return files;
}

/** `modules.dep.bin`: the lines of `modules.dep` by name of module. */
function toDependencyIndex(names: Pieces, lines: Pieces, layout: IndexLayout): Buffer {
  const count = names.start.length;
  const trie = new IndexTrie(names.bytes, count);
  for (let number = 0; number < count; number++) {
    trie.insert(names.start[number] ?? 0, names.end[number] ?? 0, number, number);
  }
  return trie.toBytes(layout, lines);
}
