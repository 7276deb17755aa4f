import type {
  Check,
  CheckDetail,
  ModuleReport,
  OverrideReport,
  TargetReport,
  VerifyReport,
} from '../../src/verify/report.ts';
import { bootText } from './boot-text.ts';
import { plainLine } from './error-text.ts';
import { findingText } from './finding-text.ts';
import { formatSize } from './sizes.ts';
import type { Style } from './style.ts';
import { formatFields } from './table.ts';

export interface VerifyTextOptions {
  readonly style: Style;
  /** Shows every check and what was read, and not only what fails or is in doubt. */
  readonly isVerbose: boolean;
}

/** Details of a check that people see; the other forms have all of them. */
const DETAILS_SHOWN = 10;

/** A report of a proof as people see it: each target with its verdict, below it what keeps it from passing. */
export function verifyText({ targets }: VerifyReport, options: VerifyTextOptions): string {
  return targets.map((target) => targetText(target, options)).join('\n');
}

function targetText(target: TargetReport, options: VerifyTextOptions): string {
  const { style, isVerbose } = options;
  const where = [`kernel ${target.kernel}`, target.arch];
  if (target.release !== undefined) where.push(`OpenShift ${target.release}`);
  const read = target.evidence.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    `${style.strong(plainLine(target.subject))}  ${where.map(plainLine).join('  ')}\n`,
    `${verdictText(target.verdict, style)}  ${plainLine(target.statement)}\n`,
    ...target.modules.map((module) => moduleText(module, options)),
    ...target.overrides.map(overrideText),
    ...target.findings.map((finding) => findingText(finding, style)),
    ...(target.boot === undefined ? [] : [bootText(target.boot, options)]),
    ...(isVerbose
      ? [style.faint(`  judged by ${target.evidence.length} files of the base, ${formatSize(read)}`), '\n']
      : []),
  ].join('');
}

function verdictText(verdict: TargetReport['verdict'], style: Style): string {
  return verdict === 'passes' ? style.good('PASSES') : style.error('FAILS');
}

function moduleText(
  { name, path, verdict, checks, dependencies }: ModuleReport,
  options: VerifyTextOptions,
): string {
  const { style, isVerbose } = options;
  const shown = isVerbose ? checks : checks.filter(({ status }) => status === 'fail' || status === 'warn');
  const skipped = checks.filter(({ status }) => status === 'skip').length;
  const notes = [
    plainLine(path),
    ...(dependencies.length > 0 ? [`needs ${dependencies.map(plainLine).join(', ')}`] : []),
    ...(skipped > 0 && !isVerbose ? [`${skipped} check${skipped === 1 ? '' : 's'} skipped`] : []),
  ];
  return [
    `  ${verdict === 'passes' ? style.good('passes') : style.error('fails ')}  ${style.strong(plainLine(name))}  ${style.faint(notes.join('; '))}\n`,
    ...shown.map((check, index) => {
      const isSaid = shown.slice(0, index).some(({ hint }) => hint === check.hint);
      return checkText(isSaid ? { ...check, hint: undefined } : check, style);
    }),
  ].join('');
}

function checkText({ id, status, message, hint, details = [], ...values }: Check, style: Style): string {
  const mark = { pass: style.good, fail: style.error, warn: style.warning, skip: style.faint }[status](
    status,
  );
  const more = details.length - DETAILS_SHOWN;
  return [
    `    ${mark} ${style.strong(id)}  ${plainLine(message)}\n`,
    formatFields(valueFields(values), '      '),
    ...details.slice(0, DETAILS_SHOWN).map(detailText),
    ...(more > 0 ? [`      and ${more} more\n`] : []),
    ...(hint === undefined ? [] : [`      ${style.faint('hint:')} ${plainLine(hint)}\n`]),
  ].join('');
}

type Values = Pick<CheckDetail, 'wanted' | 'found' | 'provider'>;

function detailText({ subject, message, ...values }: CheckDetail): string {
  const words = valueFields(values).map(([name, value]) => `${name} ${plainLine(value)}`);
  return `      ${plainLine(subject)}: ${plainLine(message)}${words.length === 0 ? '' : `  (${words.join(', ')})`}\n`;
}

/** Below each other, so that a difference is seen; equal ones once. */
function valueFields({ wanted, found, provider }: Values): readonly (readonly [string, string])[] {
  const fields: readonly (readonly [string, string | undefined])[] =
    wanted === found
      ? [['value', wanted]]
      : [
          ['wanted', wanted],
          ['found', found],
        ];
  return [...fields, ['from', provider] as const].flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value === '' ? 'nothing' : value] as const],
  );
}

function overrideText({ winner, loser, dependants }: OverrideReport): string {
  const broken = dependants.filter(({ status }) => status === 'broken').length;
  return `  ${plainLine(winner)} takes the place of ${plainLine(loser)}${
    dependants.length === 0
      ? ''
      : `, which ${dependants.length} module${dependants.length === 1 ? '' : 's'} of the base use${dependants.length === 1 ? 's' : ''}${broken === 0 ? '' : `; ${broken} of them break`}`
  }\n`;
}
