import { ResolveError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import { type KernelFlavour, type KernelRelease, parseKernelRelease } from '../spec/kernel-release.ts';
import { minorOf, type OpenShiftVersion } from '../spec/openshift-version.ts';
import type { ToolkitFacts } from './driver-toolkit.ts';
import type { ResolvedKernel } from './target.ts';

/** What decides which kernels a release offers. */
export interface FlavourFacts {
  readonly version: OpenShiftVersion;
  readonly arch: Arch;
  /** Kernel of the OS image. */
  readonly kernel: KernelRelease;
  readonly toolkit: Pick<ToolkitFacts, 'rtKernel'>;
}

/**
 * The kernels of a target, in the order in which flavours are asked for; all that it offers when none are. `rt` and
 * `64k` are in the extensions image and in the driver-toolkit, never in the OS image.
 *
 * @throws {ResolveError} `FLAVOUR_UNSUPPORTED`.
 */
export function kernelsOf(
  facts: FlavourFacts,
  wanted: readonly KernelFlavour[] | undefined,
): readonly ResolvedKernel[] {
  const { version, arch, kernel, toolkit } = facts;
  const offered: ResolvedKernel[] = [{ flavour: 'default', release: kernel, isInOsImage: true }];
  if (toolkit.rtKernel !== undefined) {
    offered.push({ flavour: 'rt', release: toolkit.rtKernel, isInOsImage: false });
  }
  if (arch === 'aarch64' && has64k(version)) {
    offered.push({ flavour: '64k', release: parseKernelRelease(`${kernel}+64k`), isInOsImage: false });
  }
  if (wanted === undefined) return offered;
  return [...new Set(wanted)].map((flavour) => {
    const found = offered.find((one) => one.flavour === flavour);
    if (found !== undefined) return found;
    throw new ResolveError(
      'FLAVOUR_UNSUPPORTED',
      `Cannot use kernel flavour ${flavour} of release ${version} on ${arch}: its driver-toolkit has none`,
      { hint: `It offers ${offered.map((one) => one.flavour).join(', ')}.` },
    );
  });
}

/** Driver-toolkits for aarch64 have had the sources of the 64k kernel since 4.15. */
function has64k(version: OpenShiftVersion): boolean {
  const [major, minor] = minorOf(version);
  return major > 4 || minor >= 15;
}
