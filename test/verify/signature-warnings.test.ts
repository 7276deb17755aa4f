import { describe, expect, it } from 'vitest';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import type { Check, TargetReport } from '../../src/verify/report.ts';
import { signatureWarnings } from '../../src/verify/signature-warnings.ts';

const HASH: Check = {
  id: 'signature',
  status: 'warn',
  message: 'whether the kernel can compute sha512 when it loads modules is not known',
  wanted: 'sha256',
  found: 'Acme, sha512',
  hint: 'Sign with another.',
};

function reportOf(...checks: readonly Check[]): TargetReport {
  return {
    subject: 'os',
    kernel: parseKernelRelease('5.14.0-427.50.1.el9_4.x86_64'),
    arch: 'x86_64',
    verdict: 'passes',
    statement: 'passes',
    modules: checks.map((check, at) => ({
      name: `m${at}`,
      path: `extra/m${at}.ko`,
      verdict: 'passes',
      checks: [check],
      symbols: [],
      dependencies: [],
    })),
    overrides: [],
    findings: [],
    evidence: [],
  };
}

describe('signatureWarnings()', () => {
  it('says once for all modules what the kernel may not know of their signatures', () => {
    expect(signatureWarnings(reportOf(HASH, HASH))).toEqual([
      {
        type: 'warning',
        message:
          'kernel 5.14.0-427.50.1.el9_4.x86_64: whether the kernel can compute sha512 when it loads modules is not known; its own modules have sha256 (Acme, sha512)',
        hint: 'Sign with another.',
      },
    ]);
  });

  it('says nothing of what passes, and of other checks', () => {
    expect(
      signatureWarnings(reportOf({ ...HASH, status: 'pass' }, { ...HASH, id: 'btf', message: 'btf' })),
    ).toEqual([]);
  });
});
