import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Verdict } from '../../src/verify/report.ts';
import type { Series } from './mutant.ts';

/** With or without the rule that modules must be signed. */
export type Mode = 'open' | 'enforced';

/** A mutant of which the proof says one thing, and a kernel does another. */
export interface Difference {
  readonly id: string;
  readonly proof: Verdict;
  readonly does: 'accepts' | 'refuses' | 'crashes';
}

const FILE = join(import.meta.dirname, '../../docs/verdicts.md');

/** Differences that `docs/verdicts.md` lists for a series of kernels, sorted. */
export function documentedDifferences(series: Series, mode: Mode): readonly Difference[] {
  return tableRows('proof')
    .filter(([, , kernels = '']) => {
      const [versions, wanted] = kernels.replaceAll(', ', ',').split(' ');
      return versions?.split(',').includes(series) === true && (wanted === undefined || wanted === mode);
    })
    .flatMap(([ids = '', proof, , does]) => idsOf(ids).map((id) => ({ id, proof, does }) as Difference))
    .sort(byId);
}

/** Mutants that kernels do not agree on, as `docs/verdicts.md` lists them, sorted. */
export function documentedDisputes(): readonly string[] {
  return tableRows('what decides')
    .flatMap(([ids = '']) => idsOf(ids))
    .sort();
}

export function byId(left: Difference, right: Difference): number {
  return left.id < right.id ? -1 : 1;
}

/** Cells of the table whose second column has that title. */
function tableRows(title: string): readonly (readonly string[])[] {
  const rows = readFileSync(FILE, 'utf8')
    .split('\n')
    .map((line) =>
      line.startsWith('|')
        ? line
            .slice(1, -1)
            .split('|')
            .map((cell) => cell.trim())
        : [],
    );
  const start = rows.findIndex(([, second]) => second === title);
  const end = rows.findIndex((row, index) => index > start && row.length === 0);
  return rows.slice(start + 2, end);
}

function idsOf(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, id = '']) => id);
}
