import { Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addOutputFlag,
  addReleaseTrustFlags,
  graphOption,
  type ImageFlags,
  type OutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer lock`. */
export interface LockFlags extends ImageFlags, OutputFlags {
  readonly file: string;
  readonly lockFile?: string;
  readonly check?: boolean;
  readonly update?: string;
  readonly graph?: string;
}

/** `kmodlayer lock`: writes, checks and moves what the releases and sources of a spec came to. */
export function lockCommand(context: CliContext): Command {
  const command = new Command('lock')
    .description('write down every digest, kernel and commit that a build uses, or say what has moved since')
    .option('-f, --file <file>', 'the spec', 'kmodlayer.yaml')
    .option(
      '--lock-file <file>',
      'the lock file (default: beside the spec, kmodlayer.lock.yaml for kmodlayer.yaml)',
    )
    .option('--check', 'write nothing; say what has moved upstream, and end with 1 when anything has')
    .addOption(
      new Option(
        '--update <range>',
        'look up the releases of this range alone, and leave everything else as it is',
      ).conflicts('check'),
    )
    .addOption(graphOption());
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(command)))
    .addHelpText(
      'after',
      `
Exit codes: 1 when --check finds that something has moved.

Examples:
  kmodlayer lock
  kmodlayer lock --check -o json
  kmodlayer lock -f kmodlayer.yaml --update 4.20.x`,
    )
    .action(async (flags: LockFlags) => {
      const { lockFromSpec } = await import('../lock-from-spec.ts');

      await lockFromSpec(flags, context);
    });
}
