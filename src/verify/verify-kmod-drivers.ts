import type { Io } from '../io.ts';
import type { Base } from '../layer/base.ts';
import { kmodImagePath } from '../layer/kmod-image-files.ts';
import type { PlacedDriver } from '../layer/place.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Certificate } from '../sign/certificate.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { prove, proveOnBase, type ProveRequest } from './prove-on-base.ts';
import type { Finding, TargetReport } from './report.ts';
import { makeTargetReport } from './target-report.ts';

export interface VerifyKmodDriversRequest {
  /** What the modules are proven against, by the name under which the report shows it. */
  readonly subject: string;
  /** The OS image with the kernel; undefined for a kernel that is in none. */
  readonly os: { readonly image: OpenedImage; readonly base: Base } | undefined;
  /** Index files of the tree that modprobe sees: those of the OS image with the modules merged in, or of the modules alone. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly kernel: Pick<KernelFacts, 'release' | 'arch'>;
  /** OpenShift release of the OS image. */
  readonly release: string;
  readonly drivers: readonly PlacedDriver[];
  /** Certificates that the modules were signed for; none when they are not signed. */
  readonly certificates: readonly Certificate[];
}

/**
 * Verifies the modules of a kmod image against the OS image that they will be loaded on. Of kernels that nodes install
 * from the extensions there is no tree to be had: then each module is looked at by itself, and the report says so.
 *
 * @throws {ModuleError} for files of the base that cannot be read; {OciError}, {RegistryError} as reading layers does.
 */
export async function verifyKmodDrivers(
  request: VerifyKmodDriversRequest,
  io: Pick<Io, 'cache' | 'report'>,
): Promise<TargetReport> {
  const { subject, os, kernel, release, drivers, certificates } = request;
  const firmware = new Set(drivers.flatMap((driver) => driver.firmware.map(({ path }) => path)));
  const common: Omit<ProveRequest, 'kernelFiles' | 'readBaseModules'> = {
    kernel,
    modules: drivers.flatMap((driver) =>
      driver.modules.map(({ fileName, bytes, parameters }) => ({
        path: kmodImagePath(driver.name, fileName),
        read: () => Promise.resolve(bytes),
        parameters,
      })),
    ),
    indexes: request.indexes,
    baseIndexes: os?.base.indexes ?? new Map<string, Uint8Array>(),
    certificates: certificates.length === 0 ? undefined : certificates,
    hasFirmware: (name) => ['', '.xz', '.zst'].some((end) => firmware.has(name + end)) || undefined,
  };
  const { tree, evidence } =
    os === undefined
      ? await prove(
          {
            ...common,
            kernelFiles: { symvers: undefined, config: undefined, module: undefined },
            readBaseModules: () => Promise.resolve(new Map()),
          },
          { report: () => undefined },
        )
      : await proveOnBase({ ...common, image: os.image }, io);
  const findings = os === undefined ? [withoutTree(kernel.release)] : [];
  return makeTargetReport({ subject, kernel, release, tree, findings, evidence });
}

function withoutTree(kernel: string): Finding {
  return {
    rule: 'kernel-not-in-os-image',
    severity: 'warning',
    message: `kernel ${kernel} is not in the OS image: symbols, their CRCs, signatures that the kernel trusts and modules that are needed could not be checked`,
    hint: 'Nodes install this kernel from the extensions when they boot: try the modules on such a node first.',
  };
}
