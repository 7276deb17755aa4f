import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/oci/reference.ts';
import { type ImageFacts, requireMatch } from '../../src/resolve/cross-check.ts';
import { KERNEL } from '../support/synthetic-release.ts';

const OS: ImageFacts = {
  reference: parseReference(`quay.io/a/os@sha256:${'a'.repeat(64)}`),
  kernel: KERNEL,
  stream: 'rhel-9',
  rhelVersion: '9.4',
};
const TOOLKIT: ImageFacts = { ...OS, reference: parseReference(`quay.io/a/dtk@sha256:${'d'.repeat(64)}`) };

function check(os: Partial<ImageFacts>, toolkit: Partial<ImageFacts>): () => void {
  return () => {
    requireMatch('4.18.4 (x86_64, rhel-9)', {
      osImage: { ...OS, ...os },
      driverToolkit: { ...TOOLKIT, ...toolkit },
    });
  };
}

const { rows } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/releases/okd-dtk-kernel-mismatches.json'), 'utf8'),
) as { rows: { release: string; osKernel: string; dtkKernel: string }[] };

describe('requireMatch()', () => {
  it.each(rows)('refuses $release: both kernels and both images are shown', ({ osKernel, dtkKernel }) => {
    expect(check({ kernel: osKernel }, { kernel: dtkKernel })).toThrow(
      expect.objectContaining({
        code: 'KERNEL_MISMATCH',
        message: `Cannot build modules for 4.18.4 (x86_64, rhel-9): its OS image has kernel ${osKernel}, its driver-toolkit ${dtkKernel} (OS image quay.io/a/os@sha256:${'a'.repeat(64)}, driver-toolkit quay.io/a/dtk@sha256:${'d'.repeat(64)})`,
      }) as Error,
    );
  });

  it('refuses two streams', () => {
    expect(check({ stream: 'rhel-9' }, { stream: 'rhel-10' })).toThrow(
      /stream rhel-9, its driver-toolkit rhel-10/,
    );
  });

  it.each([
    ['9.4', '9.6'],
    ['9.4', '10.4'],
    ['9', '10.2'],
  ])('refuses RHEL %s with RHEL %s', (os, toolkit) => {
    expect(check({ rhelVersion: os }, { rhelVersion: toolkit })).toThrow(/RHEL version/);
  });

  it.each([
    [{}, {}],
    [{ stream: '' }, { stream: 'rhel-10' }],
    [{ stream: 'rhel-9' }, { stream: '' }],
    [{ rhelVersion: '' }, {}],
    [{ rhelVersion: '10.0' }, { rhelVersion: '10' }],
    [{ kernel: KERNEL }, { kernel: `${KERNEL}+rt` }],
  ])('takes %j with %j', (os, toolkit) => {
    expect(check(os, toolkit)).not.toThrow();
  });
});
