import { Command, Option } from 'commander';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import type { Target } from '../../src/resolve/target.ts';
import type { KernelFlavour } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addOutputFlag,
  addReleaseTrustFlags,
  graphOption,
  repeatable,
  valueOf,
  type ImageFlags,
  type OutputFlags,
  type ReleaseTrustFlags,
} from '../flags.ts';

interface ResolveFlags extends ImageFlags, OutputFlags, ReleaseTrustFlags {
  readonly arch?: readonly Arch[];
  readonly stream?: readonly string[];
  readonly kernel?: readonly KernelFlavour[];
  readonly releaseRepository?: string;
  readonly graph?: string;
}

/** `kmodlayer resolve <release>...`: says what a build would use; changes nothing. */
export function resolveCommand(context: CliContext): Command {
  const command = new Command('resolve')
    .description('print payload, OS image, driver-toolkit and kernels of releases; changes nothing')
    .argument(
      '<release...>',
      'versions (4.18.4), ranges ("4.16.x"), release images (quay.io/...@sha256:...), or oci:DIR[:TAG]',
    )
    .addOption(
      new Option(
        '--arch <arch>',
        'an architecture; may be repeated (default: x86_64 for a version)',
      ).argParser((text: string, before: readonly Arch[] | undefined) => [
        ...(before ?? []),
        valueOf(parseArch)(text),
      ]),
    )
    .addOption(
      repeatable(
        '--stream <stream>',
        'a stream such as rhel-9; may be repeated (default: that of the release)',
      ),
    )
    .addOption(
      repeatable(
        '--kernel <flavour>',
        'a kernel to show; may be repeated (default: all that the release offers)',
        ['default', 'rt', '64k'],
      ),
    )
    .option('--release-repository <repository>', 'where versions are looked up')
    .addOption(graphOption());
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(command)))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer resolve 4.18.4 4.18.5
  kmodlayer resolve 4.20.1 --arch aarch64 -o json
  kmodlayer resolve "4.16.x" ">=4.18.3 <4.20"
  kmodlayer resolve 4.18.x --graph https://osus.example.com/api/upgrades_info/v1/graph
  kmodlayer resolve oci:./release:4.18.4`,
    )
    .action(async (releases: readonly string[], flags: ResolveFlags) => {
      const targets = await resolveAll(releases, flags, context);
      const { printResult } = await import('../report/output.ts');
      const { targetData, targetText } = await import('../report/target-text.ts');

      await printResult(context, flags.output, {
        verb: 'resolve',
        data: { targets: targets.done.map(targetData) },
        text: () => targets.done.map(targetText).join('\n'),
      });

      targets.throwFailures();
    });
}

interface Resolved {
  readonly done: readonly Target[];
  /** Throws when a release could not be resolved. */
  readonly throwFailures: () => void;
}

/** Releases do not depend on each other: what could be resolved is printed, whatever became of the rest. */
async function resolveAll(
  releases: readonly string[],
  flags: ResolveFlags,
  context: CliContext,
): Promise<Resolved> {
  const { makeIo } = await import('../make-io.ts');
  const { releaseJobs } = await import('../../src/resolve/release-jobs.ts');
  const { resolveMany } = await import('../../src/resolve/resolve-many.ts');
  const { findReleaseRange } = await import('../../src/spec/release-request.ts');
  const { parseGraphLocation } = await import('../../src/spec/values.ts');
  const { parseReference } = await import('../../src/oci/reference.ts');
  const { PartialFailure } = await import('../../src/errors.ts');

  const io = await makeIo(context, flags);
  const releaseRepository =
    flags.releaseRepository === undefined ? undefined : parseReference(flags.releaseRepository);
  const { jobs } = await releaseJobs(
    {
      releases: releases.map((name) => {
        const range = findReleaseRange(name);
        return range === undefined ? { type: 'name', name } : { type: 'range', range };
      }),
      arches: flags.arch,
      releaseRepository,
      graph: flags.graph === undefined ? undefined : parseGraphLocation(flags.graph),
      rules: { exclude: [], ceilings: [] },
    },
    io,
  );
  const outcomes = await resolveMany(
    jobs,
    { releaseRepository, streams: flags.stream, kernels: flags.kernel },
    io,
  );

  const failures = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const done = outcomes.flatMap((outcome) => ('error' in outcome ? [] : outcome.targets));
  if (done.length === 0) {
    // With nothing to show, the first failure decides how the command ends; the others are still said.
    for (const failure of failures.slice(1)) {
      io.report({ type: 'warning', message: failure instanceof Error ? failure.message : String(failure) });
    }
    throw failures[0];
  }
  return {
    done,
    throwFailures: () => {
      if (failures.length === 0) return;
      throw new PartialFailure(`Cannot resolve ${failures.length} of ${jobs.length} releases`, failures);
    },
  };
}
