import { STATIC_PASS, type Verdict, type VerifyReport } from '../../../src/verify/report.ts';
import { definitions } from './elements.ts';
import { markup, type Html } from './html.ts';
import { counted, firstOf, formatCount } from './limits.ts';
import { targetName } from './names.ts';

/** The verdict in words, for the title and the first heading. */
export function headline({ targets, unproven = [] }: VerifyReport): string {
  const [only] = targets;
  const count = targets.length + unproven.length;
  const failing = targets.filter((target) => target.verdict === 'fails').length;
  if (count === 0) return 'Nothing was to be proven';
  if (count === 1 && only !== undefined) return `${targetName(only)} ${only.verdict}`;
  if (failing + unproven.length === 0) return `All ${formatCount(count)} targets pass`;
  if (failing === count) return `All ${formatCount(count)} targets fail`;
  const of = (part: number): string => `${formatCount(part)} of ${counted(count, 'target')}`;
  return [
    ...(failing === 0 ? [] : [`${of(failing)} ${failing === 1 ? 'fails' : 'fail'}`]),
    ...(unproven.length === 0 ? [] : [`${of(unproven.length)} without a proof`]),
  ].join(', ');
}

/** What the verdict means; target by target where they fail. */
export function verdictText({ targets, unproven = [] }: VerifyReport): Html {
  const problems = [
    ...targets.flatMap((target, index) =>
      target.verdict === 'passes'
        ? []
        : [markup`<a href="#t${index + 1}">${targetName(target)}</a>: ${target.statement}`],
    ),
    ...unproven.map(({ subject, message }) => markup`${subject}: ${message}`),
  ];
  if (problems.length === 0) return markup`<p class="lead">Each module ${STATIC_PASS}.</p>`;
  const { shown, more } = firstOf(problems, 10);
  return markup`<ul class="lead">
    ${shown.map(
      (problem) => markup`<li>${problem}</li>
    `,
    )}${more === 0 ? undefined : markup`<li>and ${counted(more, 'other')}</li>`}</ul>`;
}

/** The numbers that people look for first. */
export function figures({ targets }: VerifyReport): Html | undefined {
  const modules = targets.flatMap((target) => target.modules);
  const checks = modules.flatMap((module) => module.checks);
  const findings = targets.flatMap((target) => target.findings);
  const booted = targets.flatMap(({ boot }) => boot ?? []);
  const failed = checks.filter(({ status }) => status === 'fail').length;
  const broken = findings.filter(({ severity }) => severity === 'error').length;
  const warnings =
    checks.filter(({ status }) => status === 'warn').length +
    findings.filter(({ severity }) => severity === 'warning').length;
  return definitions('figures', [
    ['Targets', passing(targets)],
    ['Kernels', formatCount(new Set(targets.map(({ kernel }) => kernel)).size)],
    ['Modules', passing(modules)],
    ['Checks that fail', formatCount(failed)],
    ['Rules broken', formatCount(broken)],
    ['Warnings', formatCount(warnings)],
    ['Booted', booted.length === 0 ? 'none' : passing(booted)],
  ]);
}

function passing(items: readonly { readonly verdict: Verdict }[]): string {
  const count = items.filter(({ verdict }) => verdict === 'passes').length;
  const total = formatCount(items.length);
  return count === items.length ? `${total}, all pass` : `${formatCount(count)} of ${total} pass`;
}
