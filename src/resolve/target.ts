import type { Arch } from '../oci/arch.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import type { UpdateFacts } from './graph.ts';

/** An image of a release, by digest. */
export interface ResolvedImage {
  /** Logical name as the payload has it, pinned to `digest`: what manifests and provenance say. Mirrors never show here. */
  readonly reference: Reference;
  /**
   * Where to read the image from, by digest. Equals `reference`, unless the payload came from a layout or an archive
   * that also holds this image.
   */
  readonly location: Reference;
  /** Digest of the image manifest for the target's architecture (not of an index). */
  readonly digest: Digest;
  /** Tag name in the payload, for instance `rhel-coreos` or `driver-toolkit-10`. */
  readonly name: string;
}

/** How a kernel release became known; the first that holds is used. */
export type KernelSource =
  | 'meta.json'
  | 'ostree.linux'
  | 'history'
  | 'module-directory'
  | 'driver-toolkit-release.json'
  | 'driver-toolkit-labels';

export interface ResolvedKernel {
  readonly flavour: KernelFlavour;
  readonly release: KernelRelease;
  /** True when the flavour's kernel is in the OS image itself; rt and 64k kernels come from the extensions image. */
  readonly isInOsImage: boolean;
}

/** One release on one architecture and stream, resolved to digests. */
export interface Target {
  readonly release: {
    readonly version: OpenShiftVersion;
    /** Pinned to the digest of the image for `arch`. */
    readonly reference: Reference;
    readonly digest: Digest;
    /** Fingerprints of the keys that signed it; undefined when that was not verified. */
    readonly signedBy?: readonly string[] | undefined;
  };
  readonly arch: Arch;
  /** `rhel-9`, `rhel-10`, `centos-10` and so on. */
  readonly stream: string;
  readonly osImage: ResolvedImage & {
    /** Kernel of the OS image: what nodes boot. */
    readonly kernel: KernelRelease;
    readonly kernelSource: KernelSource;
    /** The machine-os version, for instance `418.94.202501010000-0` or `9.6.20250925-0`; empty when nothing says it. */
    readonly machineOs: string;
  };
  readonly extensions: ResolvedImage | undefined;
  readonly driverToolkit: ResolvedImage & {
    readonly kernel: KernelRelease;
    readonly rtKernel: KernelRelease | undefined;
    /** `9.4`, or empty when the driver-toolkit does not say. */
    readonly rhelVersion: string;
  };
  readonly kernels: readonly ResolvedKernel[];
  /** `9.4`; empty when nothing says it. */
  readonly rhelVersion: string;
  /** What the update graph says of the release, when a range was looked up there. */
  readonly update?: UpdateFacts | undefined;
}
