import { describe, expect, it } from 'vitest';
import type { Arch } from '../../src/oci/arch.ts';
import { kernelsOf } from '../../src/resolve/flavours.ts';
import { type KernelFlavour, parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';

function kernels(
  { arch = 'x86_64', version = '4.18.4', hasRt = true }: { arch?: Arch; version?: string; hasRt?: boolean },
  wanted?: readonly KernelFlavour[],
) {
  const kernel = parseKernelRelease(`5.14.0-427.50.1.el9_4.${arch}`);
  const rtKernel = hasRt ? parseKernelRelease(`${kernel}+rt`) : undefined;
  return kernelsOf({ version: parseOpenShiftVersion(version), arch, kernel, toolkit: { rtKernel } }, wanted);
}

describe('kernelsOf()', () => {
  it('offers everything when nobody asks: only the default kernel is in the OS image', () => {
    expect(kernels({})).toEqual([
      { flavour: 'default', release: '5.14.0-427.50.1.el9_4.x86_64', isInOsImage: true },
      { flavour: 'rt', release: '5.14.0-427.50.1.el9_4.x86_64+rt', isInOsImage: false },
    ]);
  });

  it('derives the 64k kernel of aarch64', () => {
    expect(kernels({ arch: 'aarch64', hasRt: false }, ['64k'])).toEqual([
      { flavour: '64k', release: '5.14.0-427.50.1.el9_4.aarch64+64k', isInOsImage: false },
    ]);
  });

  it('keeps the order that was asked for, each flavour once', () => {
    const flavours = kernels({}, ['rt', 'default', 'rt']).map(({ flavour }) => flavour);

    expect(flavours).toEqual(['rt', 'default']);
  });

  it.each([
    ['64k', { arch: 'x86_64' }, 'default, rt'],
    ['64k', { arch: 'aarch64', version: '4.14.9', hasRt: false }, 'default'],
    ['rt', { hasRt: false }, 'default'],
  ] as const)('refuses %s of %j', (flavour, release, offered) => {
    expect(() => kernels(release, [flavour])).toThrow(
      expect.objectContaining({ code: 'FLAVOUR_UNSUPPORTED', hint: `It offers ${offered}.` }) as Error,
    );
  });
});
