import { describe, expect, it } from 'vitest';
import { type Finding, type ModuleReport, STATIC_PASS } from '../../src/verify/report.ts';
import { makeTargetReport } from '../../src/verify/target-report.ts';
import { RELEASE } from './kernel.ts';

const kernel = { release: RELEASE, arch: 'x86_64' } as const;
const evidence = [{ name: 'symvers.gz', sizeBytes: 10 }];

function moduleOf(name: string, verdict: ModuleReport['verdict']): ModuleReport {
  return { name, path: `extra/${name}.ko`, verdict, checks: [], symbols: [], dependencies: [] };
}

function reportOf(modules: readonly ModuleReport[], findings: readonly Finding[] = []) {
  return makeTargetReport({
    subject: 'oci:base',
    kernel,
    tree: { modules, overrides: [] },
    findings,
    evidence,
  });
}

describe('makeTargetReport()', () => {
  it('says no more of a pass than was looked at', () => {
    const report = reportOf([moduleOf('a', 'passes')]);

    expect(report).toMatchObject({ verdict: 'passes', statement: STATIC_PASS, kernel: RELEASE, evidence });
  });

  it('names the modules that would not load, and counts broken rules', () => {
    const findings: readonly Finding[] = [
      { rule: 'dropped-path', severity: 'error', message: 'it is dropped' },
      { rule: 'second-kernel', severity: 'warning', message: 'there are two' },
    ];

    const report = reportOf([moduleOf('a', 'fails'), moduleOf('b', 'passes')], findings);

    expect(report.verdict).toBe('fails');
    expect(report.statement).toBe('1 module would not load: a; 1 rule of layers broken');
  });
});
