import { Command, Option } from 'commander';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import type { Target } from '../../src/resolve/target.ts';
import type { KernelFlavour } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addOutputFlag,
  addReleaseTrustFlags,
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
}

/** `kmodlayer resolve <release>...`: says what a build would use; changes nothing. */
export function resolveCommand(context: CliContext): Command {
  const command = new Command('resolve')
    .description('print payload, OS image, driver-toolkit and kernels of releases; changes nothing')
    .argument('<release...>', 'versions (4.18.4), release images (quay.io/...@sha256:...), or oci:DIR[:TAG]')
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
    .option('--release-repository <repository>', 'where versions are looked up');
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(command)))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer resolve 4.18.4 4.18.5
  kmodlayer resolve 4.20.1 --arch aarch64 -o json
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
  const { resolve } = await import('../../src/resolve/resolve.ts');
  const { parseReference } = await import('../../src/oci/reference.ts');
  const { default: pLimit } = await import('p-limit');
  const { PartialFailure } = await import('../../src/errors.ts');

  const io = await makeIo(context, flags);
  const releaseRepository =
    flags.releaseRepository === undefined ? undefined : parseReference(flags.releaseRepository);
  const limit = pLimit(4);
  const results = await Promise.allSettled(
    releases.map((release) =>
      limit(() =>
        resolve(
          { release, releaseRepository, arches: flags.arch, streams: flags.stream, kernels: flags.kernel },
          io,
        ),
      ),
    ),
  );

  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const done = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
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
      throw new PartialFailure(`Cannot resolve ${failures.length} of ${releases.length} releases`, failures);
    },
  };
}
