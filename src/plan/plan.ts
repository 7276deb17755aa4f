import { ResolveError, SpecError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';
import type { PinnedSource } from './pin-source.ts';
import { inputHashOf } from './input-hash.ts';
import { compileHashOf, driverInputs, type SetInputs, settingsHashOf, sourceHashOf } from './inputs.ts';

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
  /** What is compiled. */
  readonly source: PinnedSource;
  /** Hash of what the driver is compiled from, whatever the kernel: 64 hex digits. */
  readonly sourceHash: string;
  /** Hash of all that decides what the compile gives: 64 hex digits. */
  readonly inputHash: string;
  /** Units of the drivers that this one depends on, for the same kernel: they come first. */
  readonly needs: readonly CompileUnit[];
}

/** One layered image: drivers of the set on the OS image of one target, for the kernel that is in it. */
export interface ImageUnit {
  /** Says which unit it is, for instance `4.18.4 x86_64 rhel-9`. */
  readonly id: string;
  readonly target: Target;
  /** Drivers that Day 1 units load are not in it. */
  readonly compiles: readonly CompileUnit[];
  /** Hash of all that decides what is in the image: 64 hex digits. */
  readonly inputHash: string;
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
  /** Hash of all that decides what is in the image: 64 hex digits. */
  readonly inputHash: string;
}

/** A kernel that is asked for and that a target does not offer. */
export interface BlockedKernel {
  /** Says what it is, for instance `4.18.4 x86_64 rhel-9 rt`. */
  readonly id: string;
  readonly target: Target;
  readonly flavour: KernelFlavour;
  /** Names of the drivers that would have been built for it. */
  readonly drivers: readonly string[];
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
export type PlannedSet = Pick<DriverSet, 'name' | 'drivers' | 'publish' | 'rollout'> & {
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
export function plan(set: PlannedSet, targets: readonly Target[], inputs: SetInputs): Plan {
  const hasKmodImages = set.publish.kmodImage !== undefined;
  const day1 = new Set(set.rollout.day1 ?? []);
  const isInLayer = ({ name }: Driver): boolean => !day1.has(name);
  const layered = set.drivers.filter(isInLayer);
  const settings = {
    layered: settingsHashOf(set.name, layered, inputs),
    kmod: settingsHashOf(set.name, set.drivers, inputs),
  };
  const sources = set.drivers.map((driver) => sourceOf(driver, inputs));
  const groups = new Map<string, KernelGroup>();
  const images: ImageUnit[] = [];
  const blocked: BlockedKernel[] = [];
  for (const target of targets) {
    for (const flavour of set.targets.kernels.filter((one) => isBuiltOn(one, target.arch))) {
      const kernel = target.kernels.find((one) => one.flavour === flavour);
      if (kernel === undefined) {
        blocked.push(blockedKernel(target, flavour, set));
        continue;
      }
      const isLayered = kernel.isInOsImage && layered.length > 0;
      if (!isLayered && !hasKmodImages) continue;
      const unit = { kernel: kernel.release, arch: target.arch, flavour };
      const { compiles } = joinGroup(groups, unit, target, sources);
      if (!isLayered) continue;
      const needed = compiles.filter(({ driver }) => isInLayer(driver));
      images.push(imageUnit(target, needed, settings.layered));
    }
  }
  return {
    compiles: [...groups.values()].flatMap(({ compiles }) => compiles),
    images,
    kmodImages: hasKmodImages
      ? [...groups.values()].map((group) => kmodImage(group, settings.kmod, inputs))
      : [],
    blocked,
  };
}

type Source = Pick<CompileUnit, 'driver' | 'source' | 'sourceHash'>;

function sourceOf(driver: Driver, inputs: SetInputs): Source {
  const { source } = driverInputs(driver, inputs);
  return { driver, source, sourceHash: sourceHashOf(driver, inputs) };
}

/** The group of a kernel, with one more target. */
function joinGroup(
  groups: Map<string, KernelGroup>,
  unit: KernelUnit,
  target: Target,
  sources: readonly Source[],
): KernelGroup {
  const key = `${unit.kernel} ${unit.arch} ${unit.flavour}`;
  const known = groups.get(key);
  if (known !== undefined) {
    known.targets.push(target);
    return known;
  }
  const compiles = compilesOf(sources, unit, target);
  const group = { ...unit, targets: [target], compiles };
  groups.set(key, group);
  return group;
}

/** One unit for each driver, in their order. */
function compilesOf(sources: readonly Source[], unit: KernelUnit, target: Target): readonly CompileUnit[] {
  const made = new Map<string, CompileUnit>();
  const unitOf = (source: Source): CompileUnit => {
    const { driver, sourceHash } = source;
    const known = made.get(driver.name);
    if (known !== undefined) return known;
    // A spec with a circle was refused: this ends.
    const needs = sources.filter((one) => driver.dependsOn.includes(one.driver.name)).map(unitOf);
    const compile = {
      ...unit,
      ...source,
      id: `${driver.name} for ${unit.kernel}`,
      target,
      needs,
      inputHash: compileHashOf(driver, sourceHash, {
        ...unit,
        target,
        pin: source.source,
        needs: needs.map(({ inputHash }) => inputHash),
      }),
    };
    made.set(driver.name, compile);
    return compile;
  };
  return sources.map(unitOf);
}

function imageUnit(target: Target, compiles: readonly CompileUnit[], settings: string): ImageUnit {
  const { release, osImage, driverToolkit, stream } = target;
  const inputHash = inputHashOf({
    kind: 'image',
    // The release and its driver-toolkit stand in labels, whatever was compiled where.
    release: { version: release.version, digest: release.digest },
    driverToolkit: driverToolkit.digest,
    stream,
    base: osImage.digest,
    kernel: osImage.kernel,
    settings,
    compiles: compiles.map((unit) => unit.inputHash),
  });
  return { id: targetId(target), target, compiles, inputHash };
}

function kmodImage(
  { targets, compiles, kernel, arch, flavour }: KernelGroup,
  settings: string,
  { kmodBase }: SetInputs,
): KmodImageUnit {
  const [target] = targets;
  if (target === undefined) throw new TypeError(`No target has kernel ${kernel}`);
  const inputHash = inputHashOf({
    kind: 'kmod-image',
    kernel,
    arch,
    flavour,
    base: kmodBase ?? null,
    // It stands in labels, whatever was compiled with it.
    driverToolkit: target.driverToolkit.digest,
    settings,
    compiles: compiles.map((unit) => unit.inputHash),
  });
  return { id: `kmod image for ${kernel}`, kernel, arch, flavour, target, targets, compiles, inputHash };
}

/** Only aarch64 has kernels with pages of 64 KiB: a set for several architectures asks no other for one. */
function isBuiltOn(flavour: KernelFlavour, arch: Arch): boolean {
  return flavour !== '64k' || arch === 'aarch64';
}

function blockedKernel(target: Target, flavour: KernelFlavour, { drivers }: PlannedSet): BlockedKernel {
  const offered = target.kernels.map((one) => one.flavour).join(', ');
  const { release, arch, stream } = target;
  return {
    id: `${targetId(target)} ${flavour}`,
    target,
    flavour,
    drivers: drivers.map(({ name }) => name),
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
