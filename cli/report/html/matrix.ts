import type { TargetReport } from '../../../src/verify/report.ts';
import { code, scrollable, section, table } from './elements.ts';
import { markup, type Html, type Part } from './html.ts';
import { counted } from './limits.ts';
import { verdictMark } from './marks.ts';
import { shortSubject } from './names.ts';

/** Kernels side by side that still fit on paper. */
const KERNELS_ABREAST = 4;

/** A target with its place in the report. */
interface Placed {
  readonly target: TargetReport;
  readonly id: string;
}

/** Targets by kernels, with a verdict where they meet; many kernels make several tables. */
export function matrix(targets: readonly TargetReport[]): Html {
  const placed = targets.map((target, index) => ({ target, id: `t${index + 1}` }));
  const kernels = [...new Set(targets.map(({ kernel }) => kernel))];
  const bands: (readonly string[])[] = [];
  for (let start = 0; start < kernels.length; start += KERNELS_ABREAST) {
    bands.push(kernels.slice(start, start + KERNELS_ABREAST));
  }
  return section(
    { level: 2, id: 'matrix', text: 'Targets by kernel' },
    bands.map((band, index) => {
      const number = bands.length === 1 ? '' : ` (${index + 1} of ${bands.length})`;
      return bandTable(
        band,
        placed.filter(({ target }) => band.includes(target.kernel)),
        number,
      );
    }),
  );
}

function bandTable(kernels: readonly string[], placed: readonly Placed[], number: string): Html {
  const rows = new Map<string, Placed[]>();
  for (const one of placed) {
    const key = JSON.stringify([one.target.release ?? one.target.subject, one.target.arch]);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, [one]);
    else row.push(one);
  }
  return scrollable(
    `Matrix${number}`,
    table({
      kind: 'matrix',
      caption: `Verdict of each target on its kernel${number}.${kernels.length === 1 ? '' : ' A dash: the target has another kernel.'}`,
      columns: ['Target', ...kernels],
      rows: [...rows.values()],
      cells: (row) => [rowName(row), ...kernels.map((kernel) => cell(row, kernel))],
      limit: Infinity,
    }),
  );
}

function rowName([first]: readonly Placed[]): Part {
  if (first === undefined) return undefined;
  const { release, subject, arch } = first.target;
  return markup`${release ?? code(shortSubject(subject))} <span class="faint">${arch}</span>`;
}

function cell(row: readonly Placed[], kernel: string): Part {
  const here = row.filter(({ target }) => target.kernel === kernel);
  if (here.length === 0) return markup`<span class="faint">–</span>`;
  return here.map(({ target, id }) => {
    const { verdict, modules, boot, subject } = target;
    const passing = modules.filter((module) => module.verdict === 'passes').length;
    const count = counted(modules.length, 'module');
    return markup`<div class="verdict"><a href="#${id}">${verdictMark(verdict)}</a>
      <span class="faint">${passing === modules.length ? count : `${passing} of ${count}`}${boot === undefined ? '' : `; boot ${boot.verdict}`}</span>
      ${here.length === 1 ? undefined : markup`<span class="path">${shortSubject(subject)}</span>`}</div>`;
  });
}
