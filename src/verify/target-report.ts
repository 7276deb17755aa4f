import { countOf } from './checks/check.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { type Finding, STATIC_PASS, type TargetReport } from './report.ts';
import type { TreeReport } from './verify-tree.ts';

export interface TargetReportOptions {
  /** As the user named the base; images by digest. */
  readonly subject: string;
  readonly kernel: Pick<KernelFacts, 'release' | 'arch'>;
  /** OpenShift release, where it is known. */
  readonly release?: string | undefined;
  readonly tree: TreeReport;
  /** Rules of layers and images that are broken; none when absent. */
  readonly findings?: readonly Finding[];
  /** What was read of the base. */
  readonly evidence: TargetReport['evidence'];
}

/** The report of one base: it passes when each module does, and no rule of layers is broken. */
export function makeTargetReport(options: TargetReportOptions): TargetReport {
  const { subject, kernel, release, tree, findings = [], evidence } = options;
  const failed = tree.modules.filter(({ verdict }) => verdict === 'fails');
  const errors = findings.filter(({ severity }) => severity === 'error');
  const problems = [
    ...(failed.length > 0
      ? [`${countOf(failed.length, 'module')} would not load: ${failed.map(({ name }) => name).join(', ')}`]
      : []),
    ...(errors.length > 0 ? [`${countOf(errors.length, 'rule')} of layers broken`] : []),
  ];
  return {
    subject,
    kernel: kernel.release,
    arch: kernel.arch,
    release,
    verdict: problems.length > 0 ? 'fails' : 'passes',
    statement: problems.length > 0 ? problems.join('; ') : STATIC_PASS,
    modules: tree.modules,
    overrides: tree.overrides,
    findings,
    evidence,
  };
}
