import { ResolveError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Arch, findArch } from '../oci/arch.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Certificate } from '../sign/certificate.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { inOrder } from './image/lint.ts';
import type { ProvenTree } from './prove-on-base.ts';
import type { Finding, TargetReport } from './report.ts';
import { makeTargetReport } from './target-report.ts';

export interface VerifyImageRequest {
  /** The image, by the name under which the report shows it. */
  readonly subject: string;
  readonly image: OpenedImage;
  /** OS image that it was built on, or, for a kmod image, that its modules are loaded on. */
  readonly base?: OpenedImage | undefined;
  /** How many layers were added, where the image does not say it. */
  readonly layers?: number | undefined;
  /** The kernel that it must be for; any when absent. */
  readonly kernel?: KernelRelease | undefined;
  /** Certificates that nodes trust. */
  readonly certificates?: readonly Certificate[] | undefined;
}

export type VerifyIo = Pick<Io, 'cache' | 'report' | 'signal'>;

/** The report of a proof; one without modules does not pass, as nothing was proven. */
export function reportOf(
  { subject, image }: Pick<VerifyImageRequest, 'subject' | 'image'>,
  { kernel, arch }: { readonly kernel: KernelRelease; readonly arch: Arch },
  { tree, evidence }: ProvenTree,
  findings: readonly Finding[],
): TargetReport {
  const isEmpty = tree.modules.length === 0 && !findings.some(({ severity }) => severity === 'error');
  const nothing: Finding = {
    rule: 'no-modules',
    severity: 'error',
    message: 'no layer adds a kernel module: there is nothing to prove',
    hint: 'Name the layered image and not its base; rules alone are held to by "lint".',
  };
  const report = makeTargetReport({
    subject,
    kernel: { release: kernel, arch },
    release: image.config.labels['io.kmodlayer.release'],
    tree,
    findings: inOrder([...(isEmpty ? [nothing] : []), ...findings]),
    evidence,
  });
  return isEmpty ? { ...report, statement: nothing.message } : report;
}

/** The image was to be for another kernel. */
export function otherKernel(wanted: KernelRelease, found: KernelRelease): Finding {
  return {
    rule: 'kernel-disagrees',
    severity: 'error',
    message: `the image boots ${found}, and not ${wanted}`,
    hint: 'Leave --kernel out, or name the image of the release that has this kernel.',
  };
}

/** @throws {ResolveError} `ARCH_UNSUPPORTED`. */
export function archOf({ config }: OpenedImage): Arch {
  const arch = findArch(config.architecture);
  if (arch !== undefined) return arch;
  throw new ResolveError(
    'ARCH_UNSUPPORTED',
    `Cannot verify an image for ${config.architecture === '' ? 'no architecture' : config.architecture}`,
    { hint: 'OpenShift runs on amd64, arm64, ppc64le and s390x.' },
  );
}
