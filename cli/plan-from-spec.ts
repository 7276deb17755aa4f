import { type BuildOptions, type BuildPlan, planBuild } from '../src/build.ts';
import type { DecideOptions } from '../src/decide.ts';
import type { Io } from '../src/io.ts';
import { makeMatrix, type Matrix, MAX_JOBS } from '../src/plan/matrix.ts';
import type { DriverSet } from '../src/spec/spec.ts';
import type { PlanFlags } from './commands/plan.ts';
import type { CliContext } from './context.ts';
import { findLock } from './lock-file.ts';
import { makeIo } from './make-io.ts';
import { parseOnly } from './only.ts';
import { readSpec } from './read-spec.ts';
import { printResult, type ReportFormat } from './report/output.ts';
import { leftOutText } from './report/left-out.ts';
import { planMarkdown } from './report/plan-markdown.ts';
import { planData, planText } from './report/plan-text.ts';
import { requireTargets, throwFailures } from './throw-failures.ts';

/**
 * Prints what a build would do, with what keeps parts of it from being done.
 *
 * @throws {KmodError} as `parseSpec` and `planBuild` do; what is blocked, once the rest was printed.
 */
export async function planFromSpec(flags: PlanFlags, context: CliContext): Promise<void> {
  const io = await makeIo(context, flags);
  const set = await readSpec(flags, io, context);
  const lock = await findLock(set, flags, io, context);
  const options = {
    ...(flags.only === undefined ? {} : { only: parseOnly(flags.only) }),
    keepGoing: true,
    isOffline: flags.offline,
    reuseModules: flags.reuseModules,
    lock,
  };
  await printPlan(set, options, { output: flags.output, verb: 'plan', context, io });
}

export interface PrintOptions {
  readonly output: ReportFormat;
  readonly verb: 'plan' | 'build';
  readonly context: CliContext;
  readonly io: Io;
}

/** Plans, and prints the plan as the result of a verb. */
export async function printPlan(
  set: DriverSet,
  options: Pick<BuildOptions, 'only' | 'keepGoing' | 'lock'> & DecideOptions,
  { output, verb, context, io }: PrintOptions,
): Promise<void> {
  const planned = await planBuild(set, options, io);
  const doneCount = planned.plan.images.length + planned.plan.kmodImages.length;
  requireTargets(doneCount + planned.failures.length);
  const matrix = matrixOf(planned);
  if (output === 'matrix') {
    // The matrix is for a program, which takes nothing else.
    saySplit(matrix, context);
    context.stderr.write(leftOutText(planned));
  }
  await printResult(context, output, {
    verb,
    data: { ...(verb === 'build' ? { isDryRun: true } : {}), ...planData(set, planned, matrix) },
    text: () => planText(planned),
    markdown: () => planMarkdown(set, planned),
    matrix: () => `${JSON.stringify({ include: matrix.include })}\n`,
  });
  throwFailures(planned.failures, { doneCount, targetCount: doneCount + planned.failures.length }, io);
}

function saySplit({ kernels, kernelsInAJob, include }: Matrix, { stderr }: CliContext): void {
  if (kernelsInAJob === 1) return;
  stderr.write(
    `${kernels} kernels are more than the ${MAX_JOBS} jobs that a matrix may have: ` +
      `up to ${kernelsInAJob} share one of ${include.length} jobs\n`,
  );
}

/** What is not there yet. */
function matrixOf({ plan, decisions }: BuildPlan): Matrix {
  return makeMatrix({
    compiles: plan.compiles.filter((unit) => decisions.compiles.get(unit)?.action === 'compile'),
    images: plan.images.filter((unit) => decisions.images.get(unit)?.action !== 'reuse'),
    kmodImages: plan.kmodImages.filter((unit) => decisions.kmodImages.get(unit)?.action !== 'reuse'),
  });
}
