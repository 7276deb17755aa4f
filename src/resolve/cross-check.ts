import { ResolveError } from '../errors.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { withoutFlavour } from './kernel-name.ts';

/** What one of the two images says that must belong together. */
export interface ImageFacts {
  readonly reference: Reference;
  readonly kernel: string;
  /** `rhel-9`; empty when the image does not say. */
  readonly stream: string;
  /** `9.4` or `9`; empty when nothing says it. */
  readonly rhelVersion: string;
}

/**
 * Makes sure that modules which the driver-toolkit compiles are for the kernel of the OS image. Payloads in which they
 * are not have been published.
 *
 * @param release Said in messages: `4.18.4 (x86_64, rhel-9)`.
 * @throws {ResolveError} `KERNEL_MISMATCH`, with both values and both images.
 */
export function requireMatch(
  release: string,
  { osImage, driverToolkit }: { readonly osImage: ImageFacts; readonly driverToolkit: ImageFacts },
): void {
  const os = formatReference(osImage.reference);
  const toolkit = formatReference(driverToolkit.reference);
  const refuse = (what: string, values: readonly [string, string]): never => {
    throw new ResolveError(
      'KERNEL_MISMATCH',
      `Cannot build modules for ${release}: its OS image has ${what} ${values[0]}, its driver-toolkit ${values[1]} (OS image ${os}, driver-toolkit ${toolkit})`,
      {
        hint: 'Modules from this driver-toolkit would not load on these nodes: use a neighbouring release whose images agree, or leave this one out with targets.exclude.',
      },
    );
  };
  if (withoutFlavour(osImage.kernel) !== withoutFlavour(driverToolkit.kernel)) {
    refuse('kernel', [osImage.kernel, driverToolkit.kernel]);
  }
  if (osImage.stream !== '' && driverToolkit.stream !== '' && osImage.stream !== driverToolkit.stream) {
    refuse('stream', [osImage.stream, driverToolkit.stream]);
  }
  if (!isSameRhel(osImage.rhelVersion, driverToolkit.rhelVersion)) {
    refuse('RHEL version', [osImage.rhelVersion, driverToolkit.rhelVersion]);
  }
}

/** CentOS Stream names a major alone: then, and where nothing is said, only what both say is compared. */
function isSameRhel(a: string, b: string): boolean {
  const [majorA, minorA] = a.split('.');
  const [majorB, minorB] = b.split('.');
  if (!majorA || !majorB) return true;
  return majorA === majorB && (minorA === undefined || minorB === undefined || minorA === minorB);
}
