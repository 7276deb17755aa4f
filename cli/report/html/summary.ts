import { STATIC_PASS, type Verdict, type VerifyReport } from '../../../src/verify/report.ts';
import { definitions } from './elements.ts';
import { markup, type Html } from './html.ts';
import { counted, firstOf, formatCount } from './limits.ts';
import { targetName } from './names.ts';

/** The verdict in words, for the title and the first heading. */
export function headline({ verdict, targets }: VerifyReport): string {
  const [only] = targets;
  if (only === undefined) return verdict === 'passes' ? 'Nothing was to be proven' : 'The proof fails';
  if (targets.length === 1) return `${targetName(only)} ${verdict}`;
  const count = formatCount(targets.length);
  const failing = targets.filter((target) => target.verdict === 'fails').length;
  if (failing === 0) return `All ${count} targets pass`;
  if (failing === targets.length) return `All ${count} targets fail`;
  return `${formatCount(failing)} of ${count} targets ${failing === 1 ? 'fails' : 'fail'}`;
}

/** What the verdict means; target by target where they fail. */
export function verdictText({ targets }: VerifyReport): Html {
  const failing = targets
    .map((target, index) => ({ target, id: `t${index + 1}` }))
    .filter(({ target }) => target.verdict === 'fails');
  if (failing.length === 0) return markup`<p class="lead">Each module ${STATIC_PASS}.</p>`;
  const { shown, more } = firstOf(failing, 8);
  return markup`<ul class="lead">
    ${shown.map(
      ({ target, id }) => markup`<li><a href="#${id}">${targetName(target)}</a>: ${target.statement}</li>
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
    ['Broken rules of images', formatCount(broken)],
    ['Warnings', formatCount(warnings)],
    ['Booted', booted.length === 0 ? 'none' : passing(booted)],
  ]);
}

function passing(items: readonly { readonly verdict: Verdict }[]): string {
  const count = items.filter(({ verdict }) => verdict === 'passes').length;
  const total = formatCount(items.length);
  return count === items.length ? `${total}, all pass` : `${formatCount(count)} of ${total} pass`;
}
