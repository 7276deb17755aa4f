import { LayerError, SpecError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverSet, TargetSelection } from '../spec/driver-set.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';

/** One driver, compiled once for one kernel: every target with that kernel uses the result. */
export interface CompileUnit {
  /** Says which unit it is, for instance `ice for 5.14.0-427.50.1.el9_4.x86_64`. */
  readonly id: string;
  readonly driver: Driver;
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  /** The target whose driver-toolkit compiles: the first one with this kernel. */
  readonly target: Target;
}

/** One layered image: all drivers of the set on the OS image of one target. */
export interface ImageUnit {
  /** Says which unit it is, for instance `4.18.4 x86_64 rhel-9`. */
  readonly id: string;
  readonly target: Target;
  readonly compiles: readonly CompileUnit[];
}

/** What a build is going to do. */
export interface Plan {
  readonly images: readonly ImageUnit[];
  /** Grouped by kernel, in the order of the targets. */
  readonly compiles: readonly CompileUnit[];
}

/** Says what there is to do: releases that share a kernel share its compiles. */
export function plan(set: Pick<DriverSet, 'drivers'>, targets: readonly Target[]): Plan {
  const compiles = new Map<string, CompileUnit>();
  const images = targets.map((target) => ({
    id: targetId(target),
    target,
    compiles: set.drivers.map((driver) => {
      const kernel = target.osImage.kernel;
      const id = `${driver.name} for ${kernel}`;
      const unit = compiles.get(id) ?? { id, driver, kernel, arch: target.arch, target };
      compiles.set(id, unit);
      return unit;
    }),
  }));
  return { images, compiles: [...compiles.values()] };
}

/** A target in a few words: version, architecture and stream. */
export function targetId({ release, arch, stream }: Target): string {
  return `${release.version} ${arch} ${stream}`;
}

/**
 * Refuses sets whose drivers are not all in the layered image.
 *
 * @throws {SpecError} `USAGE`.
 */
export function requireNoKmodImages({ publish, rollout }: Pick<DriverSet, 'publish' | 'rollout'>): void {
  if (publish.kmodImage === undefined && (rollout.day1 ?? []).length === 0) return;
  throw new SpecError('USAGE', 'Cannot build drivers for Day 1: this version does not make kmod images', {
    hint: 'Leave "publish.kmodImage" and "rollout.day1" out to build; "machine-config day1 -f" makes manifests from them.',
  });
}

/**
 * Refuses kernels that a layer cannot bring modules for.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED` when a kernel that is not in the OS image is asked for.
 */
export function requireLayerable({ kernels }: Pick<TargetSelection, 'kernels'>): void {
  const other = kernels.find((flavour) => flavour !== 'default');
  if (other === undefined) return;
  throw new LayerError(
    'BASE_UNSUPPORTED',
    `Cannot layer for the ${other} kernel: it is not in the OS image`,
    {
      hint: `Nodes install the ${other} kernel from the extensions image when they boot; remove "${other}" from targets.kernels.`,
    },
  );
}
