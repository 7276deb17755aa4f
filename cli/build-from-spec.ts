import { resolve } from 'node:path';
import type { BuiltImage } from '../src/build-image.ts';
import { build, planBuild, type BuildResult } from '../src/build.ts';
import { PartialFailure, SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { Failure } from '../src/resolve-set.ts';
import { parseSpec, type DriverSet } from '../src/spec/spec.ts';
import { parseRepository } from '../src/spec/values.ts';
import type { BuildFlags } from './commands/build.ts';
import type { CliContext } from './context.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { collectProofs } from './build-proofs.ts';
import { makeIo } from './make-io.ts';
import { parseOnly } from './only.ts';
import { builtImageData, builtImageText, failureData, planData, planText } from './report/build-text.ts';
import { builtKmodImageData, builtKmodImageText, kmodTagsText } from './report/kmod-image-text.ts';
import { printResult } from './report/output.ts';
import { VERSION } from './version.ts';

/**
 * Builds a spec, or says what a build would do.
 *
 * @throws {KmodError} as `parseSpec` and `build` do; `PartialFailure` when some targets failed and others are done.
 */
export async function buildFromSpec(flags: BuildFlags, context: CliContext): Promise<void> {
  const io = await makeIo(context, flags);
  const set = withThrowAwayKey(await readSpec(flags.file, io, context), flags, context);
  const options = {
    ...(flags.only === undefined
      ? {}
      : {
          only: parseOnly(
            flags.only,
            set.drivers.map(({ name }) => name),
          ),
        }),
    keepGoing: flags.keepGoing ?? false,
  };
  if (flags.dryRun === true) {
    const { plan, failures } = await planBuild(set, options, io);
    const doneCount = plan.images.length + plan.kmodImages.length;
    requireTargets(doneCount + failures.length);
    await printResult(context, flags.output, {
      verb: 'build',
      data: { isDryRun: true, ...planData(plan), failures: failures.map(failureData) },
      text: () => planText(plan),
    });
    throwFailures(failures, doneCount, io);
    return;
  }

  const proofs = collectProofs(flags.report, context, io);
  const { kmmNamespace } = flags;
  const { images, kmodImages, kmodTags, manifests, failures } = await build(
    set,
    { ...options, jobs: flags.jobs, toolVersion: VERSION, onProof: proofs.add, kmmNamespace },
    io,
  ).catch(proofs.writeAndThrow);
  const doneCount = images.length + kmodImages.length;
  requireTargets(doneCount + failures.length);
  await proofs.write(failures);
  await writeManifests(images, manifests, { flags, context });
  await printResult(context, flags.output, {
    verb: 'build',
    data: {
      isDryRun: false,
      images: images.map(builtImageData),
      kmodImages: kmodImages.map((built) => builtKmodImageData(built, kmodTags)),
      kmodTags,
      manifests,
      failures: failures.map(failureData),
    },
    text: () =>
      [
        ...images.map(builtImageText),
        ...kmodImages.map(builtKmodImageText),
        ...(kmodImages.length === 0 ? [] : [kmodTagsText(kmodTags, manifests)]),
      ].join('\n'),
  });
  throwFailures(failures, doneCount, io);
}

/** Relative paths start where the spec is, so its own path is made absolute; messages keep the name that was given. */
async function readSpec(file: string, io: Io, context: CliContext): Promise<DriverSet> {
  const bytes = await readInput(io.files, file);
  const set = parseSpec(Buffer.from(bytes).toString('utf8'), file);
  return { ...set, file: resolve(context.cwd, file) };
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

function requireTargets(count: number): void {
  if (count > 0) return;
  throw new SpecError('USAGE', 'Cannot build: --only leaves no target', {
    hint: 'See what there is with --dry-run and without --only.',
  });
}

/** With nothing done, the first failure decides how the command ends; the others are still said. */
function throwFailures(failures: readonly Failure[], doneCount: number, { report }: Io): void {
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (doneCount > 0) {
    throw new PartialFailure(
      `Cannot finish ${failures.length} of ${failures.length + doneCount} targets`,
      failures.map(({ error }) => error),
    );
  }
  for (const { what, error } of others) {
    report({
      type: 'warning',
      message: `${what}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  throw first.error;
}
