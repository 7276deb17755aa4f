import pLimit from 'p-limit';
import { buildImage, type BuiltImage, openBase } from './build-image.ts';
import { buildKmodImage, type BuiltKmodImage, type KmodBase, openKmodBase } from './build-kmod-image.ts';
import { compile, type CompiledDriver } from './compile/compile.ts';
import { SignError } from './errors.ts';
import type { Io } from './io.ts';
import { type CompileUnit, type ImageUnit, plan, type Plan, requireSomewhereToGo } from './plan/plan.ts';
import { kmodManifests } from './manifests/kmod-manifests.ts';
import type { Arch } from './oci/arch.ts';
import { type Failure, resolveSet } from './resolve-set.ts';
import type { Target } from './resolve/target.ts';
import { openSigners } from './sign/open-signers.ts';
import type { DriverSet } from './spec/spec.ts';
import { formatReference } from './oci/reference.ts';
import { type KmodTag, tagKmodImages } from './tag-kmod-images.ts';
import type { TargetReport } from './verify/report.ts';

export interface BuildOptions {
  /** Compiles that run at a time; 1 when absent. */
  readonly jobs?: number;
  /** Goes on with the other targets after one failed. */
  readonly keepGoing?: boolean;
  /** Says which targets to build; all when absent. */
  readonly only?: (target: Target) => boolean;
  /** Version of kmodlayer, for the provenance. */
  readonly toolVersion: string;
  /** Namespace of KMM's Modules that load the kmod images; none are made without it. */
  readonly kmmNamespace?: string | undefined;
  /** Gets the proof of each target, by its name in failures; also of those that are not pushed because of it. */
  readonly onProof?: (proof: TargetReport, target: string) => void;
}

/** What a build would do: the releases of the set, resolved, and what each needs. Changes nothing. */
export async function planBuild(
  set: DriverSet,
  options: Pick<BuildOptions, 'only' | 'keepGoing'>,
  io: Io,
): Promise<{ readonly plan: Plan; readonly failures: readonly Failure[] }> {
  requireSomewhereToGo(set);
  const { targets, failures } = await resolveSet(set, options, io);
  const chosen = options.only === undefined ? targets : targets.filter(options.only);
  const planned = plan(set, chosen);
  if (planned.blocked[0] !== undefined && options.keepGoing !== true) throw planned.blocked[0].error;
  const blocked = planned.blocked.map(({ id, error }) => ({ what: id, error }));
  return { plan: planned, failures: [...failures, ...blocked] };
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
  /** Releases and targets that failed; only ever not empty with `keepGoing`. */
  readonly failures: readonly Failure[];
}

/**
 * The whole product, top to bottom: every stage is a folder.
 *
 * @throws {KmodError} the first failure, unless the build is to go on after one.
 */
export async function build(set: DriverSet, options: BuildOptions, io: Io): Promise<BuildResult> {
  refusePublishing(set);
  const signers = await openSigners(set, io);
  const planned = await planBuild(set, options, io);
  const compileOnce = makeCompileOnce(set, options, io);
  const images: BuiltImage[] = [];
  const failures = [...planned.failures];
  for (const unit of planned.plan.images) {
    try {
      const base = await openBase(set, unit.target, io);
      const drivers = await compileAll(unit, compileOnce);
      images.push(
        await buildImage(
          { set, unit, base, drivers, signers, toolVersion: options.toolVersion, onProof: options.onProof },
          io,
        ),
      );
    } catch (error) {
      if (options.keepGoing !== true || io.signal.aborted) throw error;
      failures.push({ what: unit.id, error });
    }
  }
  const kmodImages: BuiltKmodImage[] = [];
  const baseOf = makeKmodBases(set, io);
  for (const unit of planned.plan.kmodImages) {
    try {
      const base = await baseOf(unit.arch);
      const drivers = await compileAll(unit, compileOnce);
      kmodImages.push(await buildKmodImage({ ...options, set, unit, base, drivers, signers }, io));
    } catch (error) {
      if (options.keepGoing !== true || io.signal.aborted) throw error;
      failures.push({ what: unit.id, error });
    }
  }
  const named = await tagKmodImages(set, kmodImages, planned.plan.kmodImages, io);
  const manifests = kmodManifests(set, { images: named.images, kmmNamespace: options.kmmNamespace });
  return { images, kmodImages, kmodTags: named.tags, manifests, failures };
}

/** The image that kmod images stand on, opened once for each architecture. */
function makeKmodBases(set: DriverSet, io: Io): (arch: Arch) => Promise<KmodBase | undefined> {
  const opened = new Map<Arch, Promise<KmodBase | undefined>>();
  return (arch) => {
    const base = opened.get(arch) ?? openKmodBase(set, arch, io);
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

/** Each driver is compiled once for each kernel, whoever asks first. */
function makeCompileOnce(
  set: DriverSet,
  options: BuildOptions,
  io: Io,
): (unit: CompileUnit) => Promise<CompiledDriver> {
  const limit = pLimit(options.jobs ?? 1);
  const started = new Map<string, Promise<CompiledDriver>>();
  return (unit) => {
    const running = started.get(unit.id) ?? limit(() => compile({ set, ...unit }, io));
    started.set(unit.id, running);
    return running;
  };
}

async function compileAll(
  unit: Pick<ImageUnit, 'compiles'>,
  compileOnce: (unit: CompileUnit) => Promise<CompiledDriver>,
): Promise<readonly CompiledDriver[]> {
  const results = await Promise.allSettled(unit.compiles.map(compileOnce));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
