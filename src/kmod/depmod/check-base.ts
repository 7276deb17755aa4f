import { type AliasLines, KEY_OFFSET } from './alias-lines.ts';
import { type BaseIndexes, readBaseIndexes, unsupported } from './base-indexes.ts';
import { findFile, getFile } from './index-format.ts';
import { DEVNAME_HEADER, deviceNode } from './module-lines.ts';
import { isGrouped } from './merge-aliases.ts';
import { parseOwnedText } from './owned-text.ts';
import { writeIndexes } from './write-indexes.ts';

/**
 * Proves that a base's indexes are what we would have written: all that can be is computed anew from the rest and
 * compared byte for byte. A base that passes can be merged into; the answer may be kept by the digest of the files.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` names the file that differs; `INDEX_INVALID`, `LIMIT_EXCEEDED`.
 */
export function checkBase(files: ReadonlyMap<string, Uint8Array>): void {
  checkBaseIndexes(readBaseIndexes(files));
}

/** As `checkBase`, for indexes that have been read. */
export function checkBaseIndexes(base: BaseIndexes): void {
  const { files, dependencies } = base;
  const { numberOfName } = dependencies;
  if (!isGrouped(base.aliases)) throw unsupported('modules.alias');
  for (const file of ['modules.softdep', 'modules.weakdep'] as const) {
    const text = findFile(files, file);
    if (text !== undefined && parseOwnedText(file, text, { word: 1, numberOfName }) === undefined) {
      throw unsupported(file);
    }
  }
  const empty = Buffer.alloc(0);
  const written = writeIndexes(
    {
      ...{ paths: dependencies.paths, names: dependencies.names, closures: dependencies.closures },
      ...{ alias: base.aliases, symbols: base.symbols, softdep: empty, weakdep: empty },
      devname: listDeviceNodes(base.aliases, dependencies.names),
    },
    base.layout,
    (file) => files.has(file) && file !== 'modules.softdep' && file !== 'modules.weakdep',
  );
  for (const [file, bytes] of written) if (!bytes.equals(getFile(files, file))) throw unsupported(file);
}

/** `modules.devname`, which follows from the aliases alone. */
function listDeviceNodes(lines: AliasLines, names: readonly string[]): Buffer {
  const owners = new Set<number>();
  for (let line = 0; line < lines.count; line++) {
    const start = (lines.lineStart[line] ?? 0) + KEY_OFFSET;
    // Few aliases begin with "devn": the rest is looked at only for their modules.
    if (lines.text[start] === 0x64 && lines.text.toString('latin1', start, start + 8) === 'devname:') {
      owners.add(lines.owner[line] ?? 0);
    }
  }
  if (owners.size === 0) return Buffer.alloc(0);
  const aliases = new Map<number, string[]>();
  for (let line = 0; line < lines.count; line++) {
    const owner = lines.owner[line] ?? 0;
    if (!owners.has(owner)) continue;
    const alias = lines.text.toString(
      'latin1',
      (lines.lineStart[line] ?? 0) + KEY_OFFSET,
      lines.keyEnd[line],
    );
    const list = aliases.get(owner);
    if (list === undefined) aliases.set(owner, [alias]);
    else list.push(alias);
  }
  const nodes = [...aliases].map(([owner, list]) => deviceNode(names[owner] ?? '', list)).join('');
  return Buffer.from(nodes === '' ? '' : DEVNAME_HEADER + nodes, 'latin1');
}
