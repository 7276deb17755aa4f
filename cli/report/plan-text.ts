import type { BuildPlan } from '../../src/build.ts';
import type { CompileDecision, ImageDecision } from '../../src/decide.ts';
import { formatReference, pinned } from '../../src/oci/reference.ts';
import { imageTag, kmodImageTag } from '../../src/plan/image-tag.ts';
import type { Matrix } from '../../src/plan/matrix.ts';
import { type CompileUnit, type ImageUnit, type KmodImageUnit, targetId } from '../../src/plan/plan.ts';
import { type DriverSet, referenceFrom } from '../../src/spec/spec.ts';
import { failureData } from './build-text.ts';
import { leftOutData, riskText, risksOf } from './left-out.ts';
import { formatTable } from './table.ts';
import { targetData } from './target-text.ts';

/** A kernel, and everything that is planned for it. */
interface KernelPlan {
  readonly kernel: string;
  readonly arch: string;
  readonly flavour: string;
  readonly compiles: CompileUnit[];
  readonly images: ImageUnit[];
  readonly kmodImages: KmodImageUnit[];
}

/** A plan by kernel, in its order. */
export function byKernel({ plan }: Pick<BuildPlan, 'plan'>): readonly KernelPlan[] {
  const kernels = new Map<string, KernelPlan>();
  for (const unit of plan.compiles) {
    const { kernel, arch, flavour } = unit;
    const key = `${kernel} ${arch} ${flavour}`;
    const group = kernels.get(key) ?? { kernel, arch, flavour, compiles: [], images: [], kmodImages: [] };
    kernels.set(key, group);
    group.compiles.push(unit);
  }
  for (const unit of plan.images) {
    const { osImage, arch } = unit.target;
    kernels.get(`${osImage.kernel} ${arch} default`)?.images.push(unit);
  }
  for (const unit of plan.kmodImages) {
    kernels.get(`${unit.kernel} ${unit.arch} ${unit.flavour}`)?.kmodImages.push(unit);
  }
  return [...kernels.values()];
}

/** A plan as programs see it. */
export function planData(
  set: DriverSet,
  planned: BuildPlan,
  matrix: Matrix,
): Readonly<Record<string, unknown>> {
  const { plan, decisions, failures } = planned;
  const osImage = referenceFrom(set.file, set.publish.osImage);
  const kmodImage = set.publish.kmodImage && referenceFrom(set.file, set.publish.kmodImage);
  return {
    name: set.name,
    isLookedUp: decisions.isLookedUp,
    summary: summaryOf(planned),
    matrix: {
      jobs: matrix.include.length,
      kernels: matrix.kernels,
      kernelsInAJob: matrix.kernelsInAJob,
    },
    compiles: plan.compiles.map((unit) => ({
      id: unit.id,
      ...compileData(decisions.compiles.get(unit)),
      driver: unit.driver.name,
      version: unit.driver.version,
      kernel: unit.kernel,
      arch: unit.arch,
      flavour: unit.flavour,
      source: unit.source,
      sourceHash: unit.sourceHash,
      inputHash: unit.inputHash,
      driverToolkit: formatReference(unit.target.driverToolkit.reference),
    })),
    images: plan.images.map((unit) => ({
      id: unit.id,
      ...decisionData(decisions.images.get(unit), osImage),
      tag: imageTag(unit),
      inputHash: unit.inputHash,
      target: targetData(unit.target),
      compiles: unit.compiles.map(({ id }) => id),
    })),
    kmodImages: plan.kmodImages.map((unit) => ({
      id: unit.id,
      ...(kmodImage === undefined ? {} : decisionData(decisions.kmodImages.get(unit), kmodImage)),
      tag: kmodImageTag(unit),
      inputHash: unit.inputHash,
      kernel: unit.kernel,
      arch: unit.arch,
      flavour: unit.flavour,
      targets: unit.targets.map(targetId),
      compiles: unit.compiles.map(({ id }) => id),
    })),
    ...leftOutData(planned),
    failures: failures.map((failure) => ({ action: 'blocked', ...failureData(failure) })),
  };
}

function compileData(decision: CompileDecision | undefined): Readonly<Record<string, unknown>> {
  if (decision?.action !== 'reuse-without-compiling') return { ...decision };
  const { action, why, found } = decision;
  return { action, why, madeFor: found.madeFor };
}

function decisionData(
  decision: ImageDecision | undefined,
  repository: DriverSet['publish']['osImage'],
): Readonly<Record<string, unknown>> {
  if (decision?.action !== 'reuse') return { ...decision };
  const { action, why, found } = decision;
  return { action, why, image: formatReference(pinned(repository, found.manifest.digest)) };
}

/** How many units there are, by what becomes of them. */
function summaryOf({ plan, decisions, failures, excluded }: BuildPlan): Readonly<Record<string, number>> {
  const count = (all: ReadonlyMap<unknown, { readonly action: string }>, action: string): number =>
    [...all.values()].filter((decision) => decision.action === action).length;
  return {
    kernels: byKernel({ plan }).length,
    compile: count(decisions.compiles, 'compile'),
    reuseWithoutCompiling: count(decisions.compiles, 'reuse-without-compiling'),
    build: count(decisions.images, 'build') + count(decisions.kmodImages, 'build'),
    reuse: count(decisions.images, 'reuse') + count(decisions.kmodImages, 'reuse'),
    blocked: failures.length,
    excluded: excluded.length,
  };
}

/** A plan as people see it: what is done for each kernel, and why. */
export function planText(planned: BuildPlan): string {
  const { plan, decisions, failures, excluded } = planned;
  const rows = byKernel({ plan }).flatMap(({ kernel, arch, flavour, compiles, images, kmodImages }) => [
    [`${kernel} (${arch}, ${flavour})`, '', ''],
    ...compiles.map((unit) => {
      const { action = '', why = '' } = decisions.compiles.get(unit) ?? {};
      return [`  ${unit.driver.name} ${unit.driver.version}`, action, why];
    }),
    ...images.map((unit) => {
      const { action = '', why = '' } = decisions.images.get(unit) ?? {};
      return [`  ${unit.id}`, action, why];
    }),
    ...kmodImages.map((unit) => {
      const { action = '', why = '' } = decisions.kmodImages.get(unit) ?? {};
      return ['  kmod image', action, why];
    }),
  ]);
  const blocked = failures.map(({ what, error }) => [
    what,
    'blocked',
    error instanceof Error ? error.message : String(error),
  ]);
  const leftOut = excluded.map(({ version, because }) => [version, 'excluded', because]);
  const { kernels = 0, compile = 0, build = 0, reuse = 0, reuseWithoutCompiling = 0 } = summaryOf(planned);
  const summary =
    `${count(kernels, 'kernel')}: ${count(compile, 'compile')}, ${count(build, 'image')} to build, ${reuse} to reuse` +
    (reuseWithoutCompiling === 0
      ? ''
      : `, ${count(reuseWithoutCompiling, 'compile')} saved by modules of other kernels`) +
    (failures.length === 0 ? '' : `, ${failures.length} blocked`) +
    (excluded.length === 0 ? '' : `, ${count(excluded.length, 'release')} excluded`);
  const risks = risksOf(planned).map((risk) => `${riskText(risk)}\n`);
  const table = formatTable(['KERNEL', 'ACTION', 'WHY'], [...rows, ...blocked, ...leftOut]);
  return `${table}\n${risks.length === 0 ? '' : `${risks.join('')}\n`}${summary}\n`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
