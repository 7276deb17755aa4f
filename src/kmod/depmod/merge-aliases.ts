import { type AliasLines, AliasLinesWriter } from './alias-lines.ts';
import { aliasLines } from './module-lines.ts';
import type { Selection } from './select-modules.ts';

/** Says whether each module's lines stand together, in the order of modules: so depmod writes `modules.alias`. */
export function isGrouped(lines: AliasLines): boolean {
  let last = 0;
  for (let line = 0; line < lines.count; line++) {
    const owner = lines.owner[line] ?? 0;
    if (owner < last) return false;
    last = owner;
  }
  return true;
}

/**
 * `modules.alias` of the merged tree: the lines of replaced modules go, those of added ones come in their place.
 *
 * @throws {ModuleError} `MODINFO_INVALID` for an alias that no index can hold.
 */
export function mergeAliases(lines: AliasLines, selection: Selection): AliasLines {
  const added: { readonly number: number; readonly lines: readonly Buffer[] }[] = [];
  let addedBytes = 0;
  let addedLines = 0;
  for (const [number, { name, isAdded, module }] of selection.modules.entries()) {
    if (!isAdded || module === undefined) continue;
    const texts = aliasLines(name, module).map((line) => Buffer.from(line, 'latin1'));
    added.push({ number, lines: texts });
    addedLines += texts.length;
    for (const text of texts) addedBytes += text.length;
  }
  const writer = new AliasLinesWriter(lines.text.subarray(0, lines.lineStart[0]), {
    bytes: lines.text.length + addedBytes,
    lines: lines.count + addedLines,
  });
  const { numberOfBase, replaced } = selection;
  let from = 0;
  const copyTo = (end: number): void => {
    writer.copy(lines, from, end, numberOfBase);
    from = end;
  };
  let next = 0;
  const addBelow = (number: number, line: number): void => {
    for (; next < added.length; next++) {
      const block = added[next];
      if (block === undefined || block.number >= number) return;
      copyTo(line);
      for (const text of block.lines) writer.add(text, block.number);
    }
  };
  let owner = -1;
  for (let line = 0; line < lines.count; line++) {
    if (lines.owner[line] === owner) {
      if (replaced.has(owner)) from = line + 1;
      continue;
    }
    owner = lines.owner[line] ?? 0;
    if (replaced.has(owner)) {
      copyTo(line);
      from = line + 1;
    } else {
      addBelow(numberOfBase[owner] ?? 0, line);
    }
  }
  addBelow(selection.modules.length, lines.count);
  copyTo(lines.count);
  return writer.toLines();
}
