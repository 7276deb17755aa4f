import type { Finding } from '../../src/verify/report.ts';
import { plainLine } from './error-text.ts';
import type { Style } from './style.ts';

/** A finding as programs see it: `null` for what it does not say. */
export function findingData(finding: Finding): Readonly<Record<string, unknown>> {
  const { rule, severity, path, layer, message, hint } = finding;
  return { rule, severity, path: path ?? null, layer: layer ?? null, message, hint: hint ?? null };
}

/** A finding as people see it: what is wrong and where on one line, what to do about it on the next. */
export function findingText({ rule, severity, path, message, hint }: Finding, style: Style): string {
  const mark = { error: style.error, warning: style.warning, note: style.faint }[severity](severity);
  const where =
    path === undefined || message.startsWith(path) || message.includes(path) ? '' : `${plainLine(path)}: `;
  return `  ${mark} ${style.strong(plainLine(rule))}  ${where}${plainLine(message)}\n${
    hint === undefined ? '' : `    ${style.faint('hint:')} ${plainLine(hint)}\n`
  }`;
}

/** `2 errors, 1 warning, 3 notes`; `nothing found` for none. */
export function countsText(findings: readonly Finding[]): string {
  const parts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  });
  return parts.length === 0 ? 'nothing found' : parts.join(', ');
}
