import type { Check, CheckDetail, CheckId, ModuleReport } from '../../../src/verify/report.ts';
import { CHECK_TEXTS } from '../check-texts.ts';
import { code, definitions, folded, list, table } from './elements.ts';
import { markup, type Html, type Part } from './html.ts';
import { counted, firstOf, type Limits } from './limits.ts';
import { checkMark, moduleMark } from './marks.ts';
import { symbolTables } from './symbol-table.ts';

/** Checks about symbols: what they list stands in the table of symbols, with more columns. */
const ABOUT_SYMBOLS: readonly CheckId[] = ['symbols', 'symbol-crcs', 'namespaces', 'licence'];

const ORDER: readonly Check['status'][] = ['fail', 'warn', 'skip', 'pass'];

/** What was found out about one module, what does not hold first. */
export function moduleSection(module: ModuleReport, id: string, limits: Limits): Html {
  const { name, path } = module;
  return markup`<article class="module" aria-labelledby="${id}">
    <h4 id="${id}">${name} ${moduleMark(module)}</h4>
    <p class="path">${path}</p>
    ${openChecks(module, limits)}${passedChecks(module, limits)}${symbolTables(module, limits)}</article>
  `;
}

function openChecks(module: ModuleReport, limits: Limits): Html | undefined {
  const checks = module.checks.filter(({ status }) => status !== 'pass');
  if (checks.length === 0) return undefined;
  return table({
    kind: 'checks',
    caption: `Checks of ${module.name} that do not simply pass`,
    columns: ['Check', 'What was seen'],
    rows: checks.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status)),
    cells: (check) => [
      [CHECK_TEXTS[check.id].title, ' ', checkMark(check.status)],
      seen(check, module, limits),
    ],
    limit: limits.rows,
  });
}

function passedChecks(module: ModuleReport, limits: Limits): Html | undefined {
  const checks = module.checks.filter(({ status }) => status === 'pass');
  if (checks.length === 0) return undefined;
  const verb = checks.length === 1 ? 'passes' : 'pass';
  return folded({
    summary: `${counted(checks.length, 'check')} of ${module.name} ${verb}`,
    content: table({
      kind: 'checks',
      caption: `Checks of ${module.name} that pass`,
      columns: ['Check', 'What was seen'],
      rows: checks,
      cells: (check) => [CHECK_TEXTS[check.id].title, seen(check, module, limits)],
      limit: limits.rows,
    }),
  });
}

function seen(check: Check, { symbols }: ModuleReport, limits: Limits): Part {
  const { id, message, hint, details = [] } = check;
  const isBelow =
    ABOUT_SYMBOLS.includes(id) &&
    details.every(({ subject }) =>
      symbols.some(({ symbol, status }) => symbol === subject && status !== 'ok'),
    );
  return [
    markup`<p>${message}</p>`,
    comparison(check),
    list(firstOf(isBelow ? [] : details, limits.details), detailOf),
    hint === undefined ? undefined : markup`<p class="hint"><strong>What to do:</strong> ${hint}</p>`,
  ];
}

function detailOf(detail: CheckDetail): Part {
  return markup`${code(detail.subject)}: ${detail.message}${comparison(detail)}`;
}

/** Values below each other, so that a difference is seen; equal ones once. */
function comparison({ wanted, found, provider }: Pick<Check, 'wanted' | 'found' | 'provider'>): Part {
  const value = (text: string | undefined): Part => (text === '' ? 'nothing' : code(text));
  return definitions('compare', [
    ...(wanted === found
      ? [['value', value(wanted)] as const]
      : [['wanted', value(wanted)] as const, ['found', value(found)] as const]),
    ['provider', value(provider)],
  ]);
}
