import { CHECK_IDS, type VerifyReport } from '../../../src/verify/report.ts';

/** How much of a report is shown, so that no file grows beyond what a browser opens at once. */
export interface Limits {
  readonly targets: number;
  /** Modules with a section of their own, for each target; those that fail come first. */
  readonly modules: number;
  /** Symbols that are as they should be, for each module. */
  readonly symbols: number;
  /** Symbols that are not, for each module. */
  readonly changedSymbols: number;
  /** What a check lists, for each check. */
  readonly details: number;
  /** Rows of any other list. */
  readonly rows: number;
  /** Characters of a kernel log or a console. */
  readonly logCharacters: number;
}

const TOTALS = {
  targets: 500,
  modules: 500,
  symbols: 60_000,
  changedSymbols: 10_000,
  details: 20_000,
  rows: 20_000,
  logCharacters: 3_000_000,
} as const satisfies Limits;

/**
 * Shares what a file may hold among what there is to show.
 *
 * @param scale 1, or less when the file came out too large.
 */
export function limitsOf({ targets }: VerifyReport, scale: number): Limits {
  const modules = targets.reduce((sum, target) => sum + target.modules.length, 0);
  const sections = Math.min(modules, TOTALS.modules);
  const logs = targets.reduce((sum, { boot }) => sum + (boot === undefined ? 0 : 2), 0);
  const share = (total: number, among: number, most: number): number =>
    Math.max(1, Math.min(most, Math.floor((total * scale) / Math.max(1, among))));
  return {
    targets: share(TOTALS.targets, 1, TOTALS.targets),
    modules: share(TOTALS.modules, targets.length, 200),
    symbols: share(TOTALS.symbols, sections, 10_000),
    changedSymbols: share(TOTALS.changedSymbols, sections, 2000),
    details: share(TOTALS.details, sections * CHECK_IDS.length, 50),
    rows: share(TOTALS.rows, sections, 200),
    logCharacters: share(TOTALS.logCharacters, logs, 400_000),
  };
}

/** The first of a list, and how many more there are. */
export interface Cut<T> {
  readonly shown: readonly T[];
  readonly more: number;
}

export function firstOf<T>(items: readonly T[], limit: number): Cut<T> {
  return { shown: items.slice(0, limit), more: Math.max(0, items.length - limit) };
}

/** `12,345` */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 module`, `2 modules` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
