import type { ModuleChange, ReleaseDiff } from '../../src/verify/diff-releases.ts';
import type { SymbolChange } from '../../src/verify/symbol-changes.ts';
import { plainLine } from './error-text.ts';
import { formatFields } from './table.ts';
import { targetData } from './target-text.ts';

/** Symbols that text lists of one module; programs get all. */
const SHOWN = 20;

/** A comparison as programs see it. */
export function diffData(diff: ReleaseDiff): Readonly<Record<string, unknown>> {
  return {
    before: targetData(diff.before),
    after: targetData(diff.after),
    changes: diff.fields,
    isKernelChanged: diff.isKernelChanged,
    modules: diff.modules.map(({ name, symbols }) => ({ name, symbols: symbols.map(symbolData) })),
  };
}

function symbolData({ symbol, change, before, after }: SymbolChange): Readonly<Record<string, unknown>> {
  const side = (one: typeof before | undefined) =>
    one === undefined
      ? null
      : { crc: hex(one.crc), namespace: one.namespace ?? null, isGplOnly: one.isGplOnly, owner: one.owner };
  return { symbol, change, before: side(before), after: side(after) };
}

/** A comparison as people see it: what changed, then what that means for each module. */
export function diffText(diff: ReleaseDiff): string {
  const { before, after, fields } = diff;
  const heading = `${before.release.version} -> ${after.release.version}  ${after.arch}  ${after.stream}\n`;
  const rows = fields.map(
    ({ field, before: old, after: now }) =>
      [field, `${old === '' ? 'none' : old} -> ${now === '' ? 'none' : now}`] as const,
  );
  const body = rows.length === 0 ? '  nothing differs\n' : formatFields(rows, '  ');
  return `${heading}${body}${verdict(diff)}\n${diff.modules.map(moduleText).join('')}`;
}

function verdict({ isKernelChanged, modules, withoutSymbols, after }: ReleaseDiff): string {
  if (!isKernelChanged) return 'The kernel is the same: what was compiled for it can be used as it is.';
  if (withoutSymbols !== undefined) {
    return `The kernel is another one. The OS image of ${withoutSymbols.release.version} does not say what its kernel exports, so that nothing is known of modules.`;
  }
  if (modules.length === 0) {
    return 'The kernel is another one. Name modules to see whether symbols that they use changed.';
  }
  const affected = modules.filter(({ symbols }) => symbols.length > 0).length;
  return affected === 0
    ? `The kernel is another one, and each symbol that the ${modules.length} modules use is what it was.`
    : `${affected} of ${modules.length} modules must be built again for ${after.release.version}:`;
}

function moduleText({ name, symbols }: ModuleChange): string {
  if (symbols.length === 0) return '';
  const lines = symbols.slice(0, SHOWN).map((change) => `    ${plainLine(symbolText(change))}\n`);
  const rest = symbols.length - lines.length;
  return `  ${plainLine(name)}: ${symbols.length} ${symbols.length === 1 ? 'symbol' : 'symbols'}\n${lines.join('')}${rest > 0 ? `    and ${rest} more\n` : ''}`;
}

function symbolText({ symbol, change, before, after }: SymbolChange): string {
  switch (change) {
    case 'gone':
      return `${symbol}: nothing exports it any more; ${before.owner} did`;
    case 'crc':
      return `${symbol}: its CRC is ${hex(after?.crc ?? 0)}, was ${hex(before.crc)} (${after?.owner ?? ''})`;
    case 'namespace':
      return `${symbol}: it moved to the namespace ${after?.namespace ?? ''}, which the module does not import`;
    case 'gpl-only':
      return `${symbol}: it is for GPL-compatible modules only now`;
  }
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}
