import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { BuiltImage } from '../src/build-image.ts';
import { type BuildResult, runBuild } from '../src/build.ts';
import { CompileError, SpecError } from '../src/errors.ts';
import type { Report } from '../src/events.ts';
import type { Io } from '../src/io.ts';
import type { DriverSet } from '../src/spec/spec.ts';
import { parseRepository } from '../src/spec/values.ts';
import type { BuildFlags } from './commands/build.ts';
import type { Failure } from '../src/resolve-set.ts';
import type { CliContext } from './context.ts';
import { openEventFile } from './io/event-file.ts';
import { writeOutput } from './io/write-output.ts';
import { collectProofs } from './build-proofs.ts';
import { findLock } from './lock-file.ts';
import { makeIo } from './make-io.ts';
import { parseOnly } from './only.ts';
import { buildData, buildSummary, buildText } from './report/build-result.ts';
import { type EventLines, makeEventLines } from './report/event-lines.ts';
import { makeReport } from './report/event-text.ts';
import { withStatus } from './report/status.ts';
import { printResult } from './report/output.ts';
import { printPlan } from './plan-from-spec.ts';
import { readSpec } from './read-spec.ts';
import { requireTargets, throwFailures } from './throw-failures.ts';
import { VERSION } from './version.ts';

/**
 * Builds a spec, or says what a build would do.
 *
 * @throws {KmodError} as `parseSpec` and `build` do; `PartialFailure` when some targets failed and others are done.
 */
export async function buildFromSpec(flags: BuildFlags, context: CliContext): Promise<void> {
  const { io, events } = await makeBuildIo(flags, context);
  const spec = await readSpec(flags, io, context);
  const lock = await findLock(spec, flags, io, context);
  const set = withThrowAwayKey(spec, flags, context);
  const options = {
    ...(flags.only === undefined ? {} : { only: parseOnly(flags.only) }),
    keepGoing: flags.keepGoing ?? false,
    force: flags.force ?? false,
    reuseModules: flags.reuseModules,
    lock,
  };
  if (flags.dryRun === true) {
    await printPlan(set, options, { output: flags.output, verb: 'build', context, io });
    return;
  }

  const proofs = collectProofs(flags.report, context, io);
  const processors = availableParallelism();
  const result = await runBuild(
    set,
    {
      ...options,
      jobs: flags.jobs ?? Math.max(1, Math.floor(processors / 2)),
      processors,
      pushes: flags.pushes,
      toolVersion: VERSION,
      onProof: proofs.add,
      kmmNamespace: flags.kmmNamespace,
    },
    io,
  ).catch(proofs.writeAndThrow);
  const { images, kmodImages, manifests, failures, notBegun } = result;
  const builtCount = images.length + kmodImages.length;
  requireTargets(builtCount + failures.length);
  await proofs.write(failures.filter((failure) => !isCompile(failure)));
  await writeManifests(images, manifests, { flags, context });
  events?.add('build-finished', buildSummary(result));
  if (flags.events !== '-') {
    await printResult(context, flags.output, {
      verb: 'build',
      data: { isDryRun: false, ...buildData(result) },
      text: () => buildText(result),
    });
  }
  if (notBegun.length > 0) {
    io.report({
      type: 'warning',
      message: `${notBegun.length} ${notBegun.length === 1 ? 'unit was' : 'units were'} not begun after the first failure`,
      hint: 'What is done is kept: the same command goes on there. --keep-going does all that needs nothing that failed.',
    });
  }
  const doneCount = options.keepGoing ? builtCount : 0;
  throwFailures(
    failures.filter((failure) => doneCount === 0 || !isBlocked(failure)),
    { doneCount, targetCount: builtCount + failures.filter((failure) => !isCompile(failure)).length },
    io,
  );
}

function isCompile(failure: BuildResult['failures'][number]): boolean {
  return 'kind' in failure && failure.kind === 'compile';
}

/** Its reason is a failure of its own. */
function isBlocked({ error }: Failure): boolean {
  return error instanceof CompileError && error.code === 'DEPENDENCY_FAILED';
}

/** The outside world of a build, which tells programs as well what it does when they ask for it. */
async function makeBuildIo(
  flags: BuildFlags,
  context: CliContext,
): Promise<{ readonly io: Io; readonly events: EventLines | undefined }> {
  const say = withStatus(makeReport(context, flags), context, flags);
  if (flags.events === undefined) return { io: await makeIo(context, flags, say), events: undefined };
  const write = openEventFile(flags.events, context, (message) => {
    say({ type: 'warning', message });
  });
  const events = makeEventLines(write, () => new Date());
  const report: Report = (event) => {
    events.report(event);
    say(event);
  };
  return { io: await makeIo(context, flags, report), events };
}

/** The set as a build for a pull request has it: it needs no key, and what it makes is not published. */
function withThrowAwayKey(set: DriverSet, { throwAwayKey }: BuildFlags, { cwd }: CliContext): DriverSet {
  if (throwAwayKey === undefined) return set;
  const layout = parseRepository(throwAwayKey);
  if (layout.transport === 'docker') {
    throw new SpecError('USAGE', `Cannot write to ${throwAwayKey} with --throw-away-key: it is no layout`, {
      hint: 'Images whose key is thrown away are not published: give oci:DIRECTORY or oci-archive:FILE.',
    });
  }
  const osImage = { ...layout, path: resolve(cwd, layout.path) };
  const kmodImage = set.publish.kmodImage === undefined ? undefined : osImage;
  return { ...set, signing: { type: 'throw-away' }, publish: { ...set.publish, osImage, kmodImage } };
}

/** Two targets of one pool have different images: each gets a directory when there are several. Day 1 has one for all. */
async function writeManifests(
  images: readonly BuiltImage[],
  common: BuildResult['manifests'],
  { flags: { manifests }, context }: { readonly flags: BuildFlags; readonly context: CliContext },
): Promise<void> {
  if (manifests === undefined) return;
  for (const { fileName, yaml } of common)
    await writeOutput(resolve(context.cwd, manifests, fileName), Buffer.from(yaml));
  for (const { target, manifests: files } of images) {
    const below = images.length === 1 ? '' : `${target.release.version}-${target.arch}-${target.stream}`;
    for (const { fileName, yaml } of files) {
      await writeOutput(resolve(context.cwd, manifests, below, fileName), Buffer.from(yaml));
    }
  }
}
