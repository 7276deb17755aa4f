import { describe, expect, it } from 'vitest';
import type { Check, CheckId } from '../../src/verify/report.ts';
import { verifyModule, type VerifyModuleRequest } from '../../src/verify/verify-module.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { kernelFacts, readKernelFixture } from './kernel.ts';

const KERNEL = kernelFacts();

function verify(fixture: string, changes: Partial<VerifyModuleRequest> = {}) {
  const path = `extra/kl/${fixture.split('.')[0] ?? ''}.ko`;
  return verifyModule({ path, bytes: readModuleFixture(fixture), kernel: KERNEL, ...changes });
}

function find(checks: readonly Check[], id: CheckId): Check | undefined {
  return checks.find((check) => check.id === id);
}

describe('verifyModule()', () => {
  it("passes a module of the kernel's own", () => {
    const report = verifyModule({
      path: 'kernel/lib/crc7.ko',
      bytes: readKernelFixture('crc7.ko'),
      kernel: KERNEL,
    });

    expect(report.verdict).toBe('passes');
    expect(report.checks.filter(({ status }) => status !== 'pass')).toMatchObject([
      { id: 'signature', status: 'skip' },
    ]);
  });

  it('passes an unsigned module with a warning', () => {
    const report = verify('kl_provider.ko');

    expect(report.verdict).toBe('passes');
    expect(find(report.checks, 'signature')).toMatchObject({ status: 'warn' });
  });

  it('fails a module whose symbols nobody exports, and names them', () => {
    const report = verify('kl_consumer.ko');

    expect(report.verdict).toBe('fails');
    expect(find(report.checks, 'symbols')?.details?.map(({ subject }) => subject)).toEqual([
      'kl_open',
      'kl_spaced',
      'kl_gpl',
    ]);
    expect(report.symbols).toContainEqual(
      expect.objectContaining({ symbol: 'kl_missing', status: 'weak', provider: undefined }),
    );
  });
});
