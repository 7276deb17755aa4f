import type { ModuleReport, SymbolUse } from '../../../src/verify/report.ts';
import { code, folded, moreNote, scrollable, table } from './elements.ts';
import { markup, type Html } from './html.ts';
import { counted, firstOf, type Limits } from './limits.ts';
import { symbolMark } from './marks.ts';

const ORDER: readonly SymbolUse['status'][] = [
  'missing',
  'crc-changed',
  'no-crc',
  'namespace',
  'licence',
  'weak',
  'ok',
];

/** The symbols that a module imports: those that changed, and all others behind a line. */
export function symbolTables({ name, symbols }: ModuleReport, limits: Limits): Html {
  const changed = symbols.filter(({ status }) => status !== 'ok');
  const unchanged = symbols.filter(({ status }) => status === 'ok');
  return markup`${changed.length === 0 ? undefined : changedTable(name, changed, limits)}${
    unchanged.length === 0 ? undefined : unchangedTable(name, unchanged, limits)
  }`;
}

function changedTable(name: string, symbols: readonly SymbolUse[], limits: Limits): Html {
  return scrollable(
    `Symbols of ${name} that changed`,
    table({
      kind: 'symbols',
      caption: `Symbols of ${name} that are not what it was built against`,
      columns: ['Symbol', 'State', 'Built against', 'Here', 'Provider'],
      rows: symbols.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status)),
      cells: ({ symbol, status, found, wanted, provider, namespace }) => [
        code(symbol),
        [symbolMark(status), namespace === undefined ? undefined : [' ', code(namespace)]],
        code(found) ?? '–',
        code(wanted) ?? '–',
        code(provider) ?? '–',
      ],
      limit: limits.changedSymbols,
    }),
  );
}

/** Modules import hundreds of symbols, so end tags that HTML lets go are left out. */
function unchangedTable(name: string, symbols: readonly SymbolUse[], limits: Limits): Html {
  const { shown, more } = firstOf(symbols, limits.symbols);
  const verb = symbols.length === 1 ? 'is' : 'are';
  return folded({
    summary: `${counted(symbols.length, 'symbol')} of ${name} ${verb} what it was built against`,
    content: markup`<table class="symbols">
      <caption>Symbols of ${name} that ${verb} what it was built against, by provider</caption>
      <thead><tr><th scope="col">Symbol<th scope="col">Version${byProvider(shown).map(
        ([provider, uses]) => markup`
          <tbody><tr><th scope="rowgroup" colspan="2">${code(provider)}, ${counted(uses.length, 'symbol')}${uses.map(
            ({ symbol, found }) => markup`
              <tr><td>${symbol}<td>${found ?? '–'}`,
          )}`,
      )}</table>${moreNote(more)}`,
    isLong: true,
  });
}

function byProvider(symbols: readonly SymbolUse[]): readonly (readonly [string, readonly SymbolUse[]])[] {
  const groups = new Map<string, SymbolUse[]>();
  for (const use of symbols) {
    const provider = use.provider ?? 'not known';
    const group = groups.get(provider);
    if (group === undefined) groups.set(provider, [use]);
    else group.push(use);
  }
  return [...groups];
}
