import { ResolveError, SpecError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';

/** A kernel that modules are made for: the unit of all work, since releases share kernels. */
export interface KernelUnit {
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  readonly flavour: KernelFlavour;
}

/** One driver, compiled once for one kernel: every target with that kernel uses the result. */
export interface CompileUnit extends KernelUnit {
  /** Says which unit it is, for instance `ice for 5.14.0-427.50.1.el9_4.x86_64`. */
  readonly id: string;
  readonly driver: Driver;
  /** The target whose driver-toolkit compiles: the first one with this kernel. */
  readonly target: Target;
}

/** One layered image: drivers of the set on the OS image of one target, for the kernel that is in it. */
export interface ImageUnit {
  /** Says which unit it is, for instance `4.18.4 x86_64 rhel-9`. */
  readonly id: string;
  readonly target: Target;
  /** Drivers that Day 1 units load are not in it. */
  readonly compiles: readonly CompileUnit[];
}

/** One kmod image: all drivers of the set for one kernel, wherever nodes get that kernel from. */
export interface KmodImageUnit extends KernelUnit {
  /** Says which unit it is, for instance `kmod image for 5.14.0-427.50.1.el9_4.x86_64+rt`. */
  readonly id: string;
  /** The first target with this kernel. */
  readonly target: Target;
  /** All targets with this kernel. */
  readonly targets: readonly Target[];
  readonly compiles: readonly CompileUnit[];
}

/** A kernel that is asked for and that a target does not offer. */
export interface BlockedKernel {
  /** Says what it is, for instance `4.18.4 x86_64 rhel-9 rt`. */
  readonly id: string;
  readonly target: Target;
  readonly flavour: KernelFlavour;
  readonly error: ResolveError;
}

/** What a build is going to do. */
export interface Plan {
  /** Grouped by kernel, in the order of the targets. */
  readonly compiles: readonly CompileUnit[];
  /** In the order of the targets. */
  readonly images: readonly ImageUnit[];
  /** In the order of the targets; none unless the set publishes kmod images. */
  readonly kmodImages: readonly KmodImageUnit[];
  readonly blocked: readonly BlockedKernel[];
}

/** What a plan is made for. */
export type PlannedSet = Pick<DriverSet, 'drivers' | 'publish' | 'rollout'> & {
  readonly targets: Pick<DriverSet['targets'], 'kernels'>;
};

/** A kernel, and the targets that have it. */
interface KernelGroup extends KernelUnit {
  readonly targets: Target[];
  /** In the order of the set's drivers. */
  readonly compiles: readonly CompileUnit[];
}

/**
 * Says what there is to do: releases that share a kernel share its compiles.
 *
 * @param targets With every kernel that they offer.
 */
export function plan(set: PlannedSet, targets: readonly Target[]): Plan {
  const groups = new Map<string, KernelGroup>();
  const images: ImageUnit[] = [];
  const blocked: BlockedKernel[] = [];
  const hasKmodImages = set.publish.kmodImage !== undefined;
  const day1 = new Set(set.rollout.day1 ?? []);
  const hasImages = set.drivers.some(({ name }) => !day1.has(name));
  for (const target of targets) {
    for (const flavour of set.targets.kernels.filter((one) => isBuiltOn(one, target.arch))) {
      const kernel = target.kernels.find((one) => one.flavour === flavour);
      if (kernel === undefined) {
        blocked.push(blockedKernel(target, flavour));
        continue;
      }
      const isLayered = kernel.isInOsImage && hasImages;
      if (!isLayered && !hasKmodImages) continue;
      const group = groupOf(groups, { kernel: kernel.release, arch: target.arch, flavour }, target, set);
      if (!isLayered) continue;
      const compiles = group.compiles.filter(({ driver }) => !day1.has(driver.name));
      images.push({ id: targetId(target), target, compiles });
    }
  }
  return {
    compiles: [...groups.values()].flatMap(({ compiles }) => compiles),
    images,
    kmodImages: hasKmodImages ? [...groups.values()].map(kmodImage) : [],
    blocked,
  };
}

/** The group of a kernel, with one more target. */
function groupOf(
  groups: Map<string, KernelGroup>,
  unit: KernelUnit,
  target: Target,
  { drivers }: PlannedSet,
): KernelGroup {
  const key = `${unit.kernel} ${unit.arch} ${unit.flavour}`;
  const known = groups.get(key);
  if (known !== undefined) {
    known.targets.push(target);
    return known;
  }
  const compiles = drivers.map((driver) => ({
    ...unit,
    id: `${driver.name} for ${unit.kernel}`,
    driver,
    target,
  }));
  const group = { ...unit, targets: [target], compiles };
  groups.set(key, group);
  return group;
}

function kmodImage({ targets, compiles, kernel, arch, flavour }: KernelGroup): KmodImageUnit {
  const [target] = targets;
  if (target === undefined) throw new TypeError(`No target has kernel ${kernel}`);
  return { id: `kmod image for ${kernel}`, kernel, arch, flavour, target, targets, compiles };
}

/** Only aarch64 has kernels with pages of 64 KiB: a set for several architectures asks no other for one. */
function isBuiltOn(flavour: KernelFlavour, arch: Arch): boolean {
  return flavour !== '64k' || arch === 'aarch64';
}

function blockedKernel(target: Target, flavour: KernelFlavour): BlockedKernel {
  const offered = target.kernels.map((one) => one.flavour).join(', ');
  const { release, arch, stream } = target;
  return {
    id: `${targetId(target)} ${flavour}`,
    target,
    flavour,
    error: new ResolveError(
      'FLAVOUR_UNSUPPORTED',
      `Cannot build for the ${flavour} kernel of release ${release.version} (${arch}, ${stream}): its driver-toolkit has none`,
      { hint: `It offers ${offered}; take "${flavour}" out of targets.kernels, or exclude the release.` },
    ),
  };
}

/** A target in a few words: version, architecture and stream. */
export function targetId({ release, arch, stream }: Target): string {
  return `${release.version} ${arch} ${stream}`;
}

/**
 * Refuses kernels whose modules would go nowhere: only the default kernel is in the OS image, where a layer can add to it.
 *
 * @throws {SpecError} `USAGE`.
 */
export function requireSomewhereToGo({ targets, publish }: Pick<PlannedSet, 'targets' | 'publish'>): void {
  const other = targets.kernels.find((flavour) => flavour !== 'default');
  if (other === undefined || publish.kmodImage !== undefined) return;
  throw new SpecError(
    'USAGE',
    `Cannot put modules for the ${other} kernel into the OS image: the ${other} kernel comes from the extensions`,
    {
      hint: `Its modules go into a kmod image: set publish.kmodImage, or take "${other}" out of targets.kernels.`,
    },
  );
}
