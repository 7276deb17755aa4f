import type { Finding, TargetReport } from '../../../src/verify/report.ts';
import { formatSize } from '../sizes.ts';
import { bootSection } from './boot-section.ts';
import { code, definitions, folded, section, table } from './elements.ts';
import { graphSection } from './graph/graph-section.ts';
import { markup, type Html, type Part } from './html.ts';
import { counted, firstOf, type Limits } from './limits.ts';
import { moduleMark, severityMark, verdictMark } from './marks.ts';
import { moduleSection } from './module-section.ts';
import { targetName } from './names.ts';

/** Everything about one target. */
export function targetSection(target: TargetReport, id: string, limits: Limits): Html {
  const { subject, kernel, verdict, statement, boot } = target;
  return section({ level: 2, id, text: [targetName(target), ' ', verdictMark(verdict)] }, [
    markup`<p class="lead">${statement}</p>`,
    definitions('facts', [
      ['Base', code(subject)],
      ['Kernel', code(kernel)],
    ]),
    findings(target, id, limits),
    modules(target, id, limits),
    graphSection(target, id, limits),
    boot === undefined ? undefined : bootSection(boot, id, limits),
    evidence(target, id, limits),
  ]);
}

function modules(target: TargetReport, id: string, limits: Limits): Html {
  const sorted = target.modules.toSorted(
    (a, b) => Number(a.verdict === 'passes') - Number(b.verdict === 'passes'),
  );
  const { shown } = firstOf(sorted, limits.modules);
  const others = sorted.slice(shown.length);
  const text = sorted.length === 0 ? 'No modules' : counted(sorted.length, 'module');
  return section({ level: 3, id: `${id}-modules`, text }, [
    shown.map((module, index) => moduleSection(module, `${id}-m${index + 1}`, limits)),
    others.length === 0
      ? undefined
      : table({
          caption: 'Other modules',
          columns: ['Module', 'Verdict', 'Path'],
          rows: others,
          cells: (module) => [code(module.name), moduleMark(module), code(module.path)],
          limit: limits.rows,
        }),
  ]);
}

const SEVERITIES: readonly Finding['severity'][] = ['error', 'warning', 'note'];

function findings(target: TargetReport, id: string, limits: Limits): Part {
  if (target.findings.length === 0) return undefined;
  return section(
    { level: 3, id: `${id}-findings`, text: 'The image and its layers' },
    table({
      kind: 'checks',
      caption: 'Rules of images and layers that are broken',
      columns: ['Rule', 'What is wrong'],
      rows: target.findings.toSorted(
        (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
      ),
      cells: (finding) => [[code(finding.rule), ' ', severityMark(finding.severity)], wrong(finding)],
      limit: limits.rows,
    }),
  );
}

function wrong({ message, path, layer, hint }: Finding): Part {
  return [
    markup`<p>${message}</p>`,
    path === undefined ? undefined : markup`<p>${code(path)}</p>`,
    layer === undefined ? undefined : markup`<p class="faint">layer ${code(layer)}</p>`,
    hint === undefined ? undefined : markup`<p class="hint"><strong>What to do:</strong> ${hint}</p>`,
  ];
}

function evidence(target: TargetReport, id: string, limits: Limits): Part {
  const files = target.evidence;
  if (files.length === 0) return undefined;
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return section(
    { level: 3, id: `${id}-evidence`, text: 'What was read of the base' },
    folded({
      summary: `${counted(files.length, 'file')}, ${formatSize(total)}`,
      content: table({
        kind: 'sizes',
        caption: 'Files that the proof rests on',
        columns: ['File', 'Size'],
        rows: files,
        cells: ({ name, sizeBytes }) => [code(name), formatSize(sizeBytes)],
        limit: limits.rows,
      }),
    }),
  );
}
