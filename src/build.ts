import { buildImage, type BuiltImage, openBase, reuseImage } from './build-image.ts';
import {
  buildKmodImage,
  type BuiltKmodImage,
  type KmodBase,
  openKmodBase,
  reuseKmodImage,
} from './build-kmod-image.ts';
import { compileUnit } from './compile-unit.ts';
import { decide, type DecideOptions, type Decisions } from './decide.ts';
import { SignError } from './errors.ts';
import type { Io } from './io.ts';
import { kmodManifests } from './manifests/kmod-manifests.ts';
import type { Arch } from './oci/arch.ts';
import type { Digest } from './oci/digest.ts';
import { formatReference } from './oci/reference.ts';
import type { Lock } from './plan/lock.ts';
import { type Plan, requireSomewhereToGo } from './plan/plan.ts';
import { type Only, select } from './plan/select.ts';
import { planSet } from './plan-set.ts';
import { type Failure, resolveSet } from './resolve-set.ts';
import type { ExcludedRelease } from './resolve/exclusions.ts';
import { type CompileRecord, makeUnitRunner, type UnitFailure } from './run-units.ts';
import { openSigners } from './sign/open-signers.ts';
import type { DriverSet } from './spec/spec.ts';
import { type KmodTag, tagKmodImages } from './tag-kmod-images.ts';
import type { TargetReport } from './verify/report.ts';

/** Images that are made at a time: registries limit what one address may do. */
const IMAGES_AT_ONCE = 4;

export interface BuildOptions {
  /** What the releases and sources of the set came to before; everything is looked up when absent. */
  readonly lock?: Lock | undefined;
  /** Compiles that run at a time; 1 when absent. */
  readonly jobs?: number | undefined;
  /** Processors that all compiles share; 1 when absent. */
  readonly processors?: number | undefined;
  /** Images that are layered and pushed at a time; 4 when absent. */
  readonly pushes?: number | undefined;
  /** Goes on with the other targets after one failed. */
  readonly keepGoing?: boolean;
  /** Does everything again, whatever was done before. */
  readonly force?: boolean | undefined;
  /** Takes modules that were made for other kernels, where they are proven to load; what the set says when absent. */
  readonly reuseModules?: boolean | undefined;
  /** Says what to build; all when absent. */
  readonly only?: Only;
  /** Version of kmodlayer, for the provenance. */
  readonly toolVersion: string;
  /** Namespace of KMM's Modules that load the kmod images; none are made without it. */
  readonly kmmNamespace?: string | undefined;
  /** Gets the proof of each target, by its name in failures; also of those that are not pushed because of it. */
  readonly onProof?: (proof: TargetReport, target: string) => void;
}

/** What came of a build. */
export interface BuildResult {
  /** One image for each target that was done, in the order of the spec. */
  readonly images: readonly BuiltImage[];
  /** One image for each kernel, when the spec asks for them. */
  readonly kmodImages: readonly BuiltKmodImage[];
  /** Names of the kmod images, by kernel and by release. */
  readonly kmodTags: readonly KmodTag[];
  /** What rolls the kmod images out, by file name. */
  readonly manifests: readonly { readonly fileName: string; readonly yaml: string }[];
  /** What was compiled for all of these, in the order in which it was done. */
  readonly compiles: readonly CompileRecord[];
  /** Releases that failed, then units, and those that needed one of them. */
  readonly failures: readonly (Failure | UnitFailure)[];
  /** Units that were not begun after a failure; none with `keepGoing`. */
  readonly notBegun: readonly string[];
}

/**
 * The whole product, top to bottom: every stage is a folder. Units run side by side, each as soon as what it needs is
 * there; what is done stays done, whatever becomes of the others.
 *
 * @throws {KmodError} what is wrong before the first unit begins; what fails later is in the result.
 */
export async function runBuild(set: DriverSet, options: BuildOptions, io: Io): Promise<BuildResult> {
  refusePublishing(set);
  const signers = await openSigners(set, io);
  const planned = await planBuild(set, options, io);
  const { decisions } = planned;
  announce(planned, io);

  const { jobs = 1, pushes = IMAGES_AT_ONCE, keepGoing = false, force = false, kmmNamespace } = options;
  const makeJobs = makeJobsOf(decisions, options);
  const runner = makeUnitRunner(
    { jobs, images: pushes, keepGoing },
    async (unit, needed) => {
      const decision = decisions.compiles.get(unit);
      if (decision?.action !== 'reuse-without-compiling') {
        return compileUnit(unit, { set, makeJobs, force, needed }, io);
      }
      return { ...decision.found, unit, wasThere: true, ms: 0 };
    },
    io,
  );
  const kmodBaseOf = makeKmodBases(set, planned.kmodBase, io);
  const [images, kmodImages] = await Promise.all([
    runner.run('image', planned.plan.images, async (unit, { read, compiled, make }) => {
      const decision = decisions.images.get(unit);
      if (decision?.action === 'reuse') return reuseImage(set, unit, decision.found);
      const base = await read(() => openBase(set, unit.target, io));
      const drivers = await compiled(unit.compiles);
      return make(() => buildImage({ ...options, set, unit, base, drivers, signers }, io));
    }),
    runner.run('kmod-image', planned.plan.kmodImages, async (unit, { read, compiled, make }) => {
      const decision = decisions.kmodImages.get(unit);
      if (decision?.action === 'reuse') return reuseKmodImage(set, unit, decision.found);
      const base = await read(() => kmodBaseOf(unit.arch));
      const drivers = await compiled(unit.compiles);
      return make(() => buildKmodImage({ ...options, set, unit, base, drivers, signers }, io));
    }),
  ]);
  const { compiled, failures, notBegun } = runner.summary();
  const result = {
    ...{ images, kmodImages, compiles: compiled, notBegun },
    failures: [...planned.failures, ...failures],
  };

  // Names that many share move when all is there that is to be there.
  if (result.failures.length > 0 && !keepGoing) return { ...result, kmodTags: [], manifests: [] };
  try {
    const named = await tagKmodImages(set, kmodImages, planned.allKmodImages, io);
    const manifests = kmodManifests(set, { images: named.images, kmmNamespace });
    return { ...result, kmodTags: named.tags, manifests };
  } catch (error) {
    if (io.signal.aborted) throw error;
    const failure = { what: 'names of kmod images', error };
    return { ...result, failures: [...result.failures, failure], kmodTags: [], manifests: [] };
  }
}

/**
 * `runBuild` for those who want all or nothing, unless they say otherwise.
 *
 * @throws {KmodError} the first failure, unless the build is to go on after one. What was done before stays done.
 */
export async function build(set: DriverSet, options: BuildOptions, io: Io): Promise<BuildResult> {
  const result = await runBuild(set, options, io);
  const [failure] = result.failures;
  if (failure !== undefined && options.keepGoing !== true) throw failure.error;
  return result;
}

/** What a build would do. */
export interface BuildPlan {
  readonly plan: Plan;
  readonly decisions: Decisions;
  /** Those that were not chosen, too: names that many share do not depend on the choice. */
  readonly allKmodImages: Plan['kmodImages'];
  /** What the base of kmod images was when the build was planned. */
  readonly kmodBase: Digest | undefined;
  /** Releases that failed, and kernels that a release does not offer; only ever not empty with `keepGoing`. */
  readonly failures: readonly Failure[];
  /** Releases that the rules of the set leave out. */
  readonly excluded: readonly ExcludedRelease[];
}

/**
 * What a build would do: the releases of the set, resolved, what each needs, and what of it is there. Changes nothing.
 *
 * @throws {KmodError} the first failure, unless the others are to be planned all the same.
 */
export async function planBuild(
  set: DriverSet,
  options: Pick<BuildOptions, 'only' | 'keepGoing' | 'lock'> & DecideOptions,
  io: Io,
): Promise<BuildPlan> {
  requireSomewhereToGo(set);
  const { targets, failures, excluded } = await resolveSet(set, options, io);
  const planned = await planSet(set, targets, { ...options, pins: options.lock?.pins }, io);
  const chosen = select(planned.plan, options.only);
  if (chosen.blocked[0] !== undefined && options.keepGoing !== true) throw chosen.blocked[0].error;
  const blocked = chosen.blocked.map(({ id, error }) => ({ what: id, error }));
  const decisions = await decide(set, planned, chosen, options, io);
  return {
    ...{ plan: chosen, decisions, excluded },
    allKmodImages: planned.plan.kmodImages,
    kmodBase: planned.inputs.kmodBase,
    failures: [...failures, ...blocked],
  };
}

function announce({ plan, decisions }: BuildPlan, { report }: Pick<Io, 'report'>): void {
  report({
    type: 'build-planned',
    units: [
      ...plan.compiles
        .filter((unit) => decisions.compiles.get(unit)?.action !== 'reuse')
        .map(({ id }) => ({ unit: id, kind: 'compile' as const })),
      ...plan.images.map(({ id }) => ({ unit: id, kind: 'image' as const })),
      ...plan.kmodImages.map(({ id }) => ({ unit: id, kind: 'kmod-image' as const })),
    ],
  });
}

/** Processors are shared: a compile that runs alone gets them all. */
function makeJobsOf(
  { compiles }: Pick<Decisions, 'compiles'>,
  { jobs = 1, processors = 1 }: Pick<BuildOptions, 'jobs' | 'processors'>,
): number {
  const count = [...compiles.values()].filter(({ action }) => action === 'compile').length;
  const atOnce = Math.max(1, Math.min(jobs, count));
  return Math.max(1, Math.floor(processors / atOnce));
}

/** The image that kmod images stand on, opened once for each architecture. */
function makeKmodBases(
  set: DriverSet,
  digest: Digest | undefined,
  io: Io,
): (arch: Arch) => Promise<KmodBase | undefined> {
  const opened = new Map<Arch, Promise<KmodBase | undefined>>();
  return (arch) => {
    const base = opened.get(arch) ?? openKmodBase({ set, digest, arch }, io);
    opened.set(arch, base);
    return base;
  };
}

/** What is signed with a key that is thrown away goes to a layout, from which no node can pull. */
function refusePublishing({ signing, publish }: DriverSet): void {
  const place = [publish.osImage, publish.kmodImage].find((one) => one?.transport === 'docker');
  if (signing.type !== 'throw-away' || place === undefined) return;
  throw new SignError(
    'THROW_AWAY_KEY',
    `Cannot publish to ${formatReference(place)} what is signed with a key that is thrown away`,
    { hint: 'Write it to a layout: "osImage: oci:DIRECTORY", or --throw-away-key oci:DIRECTORY.' },
  );
}
