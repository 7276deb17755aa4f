import pLimit from 'p-limit';
import { buildImage, type BuiltImage, openBase } from './build-image.ts';
import { compile, type CompiledDriver } from './compile/compile.ts';
import { SignError } from './errors.ts';
import type { Io } from './io.ts';
import {
  type CompileUnit,
  type ImageUnit,
  plan,
  type Plan,
  requireNoKmodImages,
  requireSomewhereToGo,
} from './plan/plan.ts';
import { type Failure, resolveSet } from './resolve-set.ts';
import type { Target } from './resolve/target.ts';
import { openSigners } from './sign/open-signers.ts';
import type { DriverSet } from './spec/spec.ts';
import { formatReference } from './oci/reference.ts';
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
  /** Releases and targets that failed; only ever not empty with `keepGoing`. */
  readonly failures: readonly Failure[];
}

/**
 * The whole product, top to bottom: every stage is a folder.
 *
 * @throws {KmodError} the first failure, unless the build is to go on after one.
 */
export async function build(set: DriverSet, options: BuildOptions, io: Io): Promise<BuildResult> {
  requireNoKmodImages(set);
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
  return { images, failures };
}

/** What is signed with a key that is thrown away goes to a layout, from which no node can pull. */
function refusePublishing({ signing, publish }: DriverSet): void {
  if (signing.type !== 'throw-away' || publish.osImage.transport !== 'docker') return;
  throw new SignError(
    'THROW_AWAY_KEY',
    `Cannot publish to ${formatReference(publish.osImage)} what is signed with a key that is thrown away`,
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
  unit: ImageUnit,
  compileOnce: (unit: CompileUnit) => Promise<CompiledDriver>,
): Promise<readonly CompiledDriver[]> {
  const results = await Promise.allSettled(unit.compiles.map(compileOnce));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
