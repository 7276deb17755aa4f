import type { ManifestFinding } from '../../src/verify/manifest/finding.ts';
import type { LintedManifests } from '../lint-manifests.ts';
import { plainLine } from './error-text.ts';
import { countsText } from './finding-text.ts';
import { printable } from './printable.ts';
import type { Style } from './style.ts';

/** What was found in manifests, as programs see it. */
export function manifestData(
  { report, files, unread }: LintedManifests,
  release: string | undefined,
): Readonly<Record<string, unknown>> {
  const { findings, objects, machineConfigs, operatorConfigs, pools } = report;
  return {
    files,
    unread: unread.map(({ file, problems }) => ({
      file,
      problems: problems.map(({ line, message }) => ({ line: line ?? null, message })),
    })),
    release: release ?? null,
    objects,
    machineConfigs,
    operatorConfigs,
    pools,
    findings: findings.map(
      ({ rule, severity, file, document, object, path, line, source, message, hint }) => ({
        rule,
        severity,
        file,
        document,
        object,
        path,
        line,
        source,
        message,
        hint: hint ?? null,
      }),
    ),
  };
}

/** The same as people see it: by file, each with the line that it is about. */
export function manifestText(
  { report, files }: LintedManifests,
  release: string | undefined,
  style: Style,
): string {
  const parts = files.flatMap((file) => {
    const found = report.findings.filter((finding) => finding.file === file);
    return found.length === 0 && files.length > 1
      ? []
      : [
          `${style.strong(plainLine(file))}  ${countsText(found)}\n${found.map((finding) => findingText(finding, style)).join('')}`,
        ];
  });
  return [...parts, summaryText({ report, files }, release, style)].join('\n');
}

function findingText(
  { rule, severity, object, path, line, source, message, hint }: ManifestFinding,
  style: Style,
): string {
  const mark = { error: style.error, warning: style.warning, note: style.faint }[severity](severity);
  const where = [plainLine(object), ...(path === '' ? [] : [plainLine(path)])].join(' ');
  return [
    `  ${mark} ${style.strong(rule)}  ${where}: ${plainLine(message)}`,
    `    ${style.faint(`${line} |`)} ${plainLine(printable(source))}`,
    ...(hint === undefined ? [] : [`    ${style.faint('hint:')} ${plainLine(hint)}`]),
    '',
  ].join('\n');
}

function summaryText(
  { report, files }: Pick<LintedManifests, 'report' | 'files'>,
  release: string | undefined,
  style: Style,
): string {
  const { findings, objects, machineConfigs, operatorConfigs, pools } = report;
  const merged = pools.map(({ name, configs }) => `${plainLine(name)} (${configs})`).join(', ');
  const lines = [
    `${objects} ${objects === 1 ? 'object' : 'objects'} in ${files.length} ${files.length === 1 ? 'file' : 'files'}: ${countsText(findings)}`,
    ...(machineConfigs === 0
      ? []
      : [
          ...(merged === '' ? [] : [`merged as these pools would: ${merged}`]),
          ...(operatorConfigs === 0
            ? []
            : [
                `${operatorConfigs} of ${machineConfigs} MachineConfigs were written by the Machine Config Operator, and are not judged`,
              ]),
          release === undefined
            ? 'judged by what every release from 4.8 on takes, and merged as 4.15 and later do; --openshift says which release'
            : `judged for OpenShift ${plainLine(release)}`,
        ]),
  ];
  return lines.map((line) => `${style.faint(line)}\n`).join('');
}
