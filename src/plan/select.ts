import type { Target } from '../resolve/target.ts';
import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';
import type { CompileUnit, Plan } from './plan.ts';

/** What units are chosen by: an image for a kernel, as one of its targets sees it. */
export interface Choice {
  readonly target: Target;
  /** Undefined for one that the target does not offer. */
  readonly kernel: KernelRelease | undefined;
  readonly flavour: KernelFlavour;
  /** Names of the drivers that are in the image. */
  readonly drivers: readonly string[];
}

/** Says whether something is to be built. */
export type Only = (choice: Choice) => boolean;

/**
 * The part of a plan that makes some of its images. Taken from a plan for all targets, so that what is compiled for an
 * image, and its input hash, do not depend on what else is chosen.
 */
export function select(plan: Plan, only: Only | undefined): Plan {
  if (only === undefined) return plan;
  const images = plan.images.filter(({ target, compiles }) =>
    only({ target, kernel: target.osImage.kernel, flavour: 'default', drivers: namesOf(compiles) }),
  );
  const kmodImages = plan.kmodImages.filter(({ targets, kernel, flavour, compiles }) =>
    targets.some((target) => only({ target, kernel, flavour, drivers: namesOf(compiles) })),
  );
  const needed = new Set([...images, ...kmodImages].flatMap(({ compiles }) => compiles.flatMap(withNeeds)));
  return {
    images,
    kmodImages,
    compiles: plan.compiles.filter((unit) => needed.has(unit)),
    blocked: plan.blocked.filter(({ target, flavour, drivers }) =>
      only({ target, kernel: undefined, flavour, drivers }),
    ),
  };
}

/** A unit, and all that must be compiled before it: drivers that it depends on may be in no image. */
export function withNeeds(unit: CompileUnit): readonly CompileUnit[] {
  return [unit, ...unit.needs.flatMap(withNeeds)];
}

function namesOf(compiles: Plan['compiles']): readonly string[] {
  return compiles.map(({ driver }) => driver.name);
}
