import type { Finding, VerifyReport } from '../../src/verify/report.ts';
import type { CliResult } from './cli-process.ts';

/** What `verify -o json` said, in full and in short. */
export interface Verified {
  readonly exitCode: number | null;
  readonly report: VerifyReport;
  /** For instance `error module-not-indexed`. */
  readonly findings: readonly string[];
  /** Checks that fail, for instance `kl_hello vermagic`. */
  readonly failures: readonly string[];
}

/** @throws {Error} When the command printed no report. */
export function verifiedOf({ exitCode, stdout, stderr }: CliResult): Verified {
  if (stdout === '') throw new Error(stderr);
  const report = JSON.parse(stdout) as VerifyReport;
  const failures = report.targets.flatMap(({ modules }) =>
    modules.flatMap(({ name, checks }) =>
      checks.filter(({ status }) => status === 'fail').map(({ id }) => `${name} ${id}`),
    ),
  );
  return {
    exitCode,
    report,
    failures,
    findings: report.targets.flatMap(({ findings }) => findings.map(inShort)),
  };
}

function inShort({ severity, rule }: Finding): string {
  return `${severity} ${rule}`;
}
