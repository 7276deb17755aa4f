import { Command, Option } from 'commander';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addOutputFlag,
  addReleaseTrustFlags,
  repeatable,
  valueOf,
  type OutputFlags,
} from '../flags.ts';
import type { IoFlags } from '../make-io.ts';

/** Flags of `kmodlayer diff`. */
export interface DiffFlags extends IoFlags, OutputFlags {
  readonly arch: Arch;
  readonly stream?: string;
  readonly releaseRepository?: string;
  readonly module?: readonly string[];
  readonly image?: readonly string[];
  readonly file?: string;
}

/** `kmodlayer diff <release> <release>`: says whether drivers have to be built again, and why. */
export function diffCommand(context: CliContext): Command {
  const command = new Command('diff')
    .description('say what differs between two releases, and which symbols that modules use changed')
    .argument('<before>', 'a release as for "resolve": 4.18.4, or the pullspec of its image')
    .argument('<after>', 'the release to compare it with')
    .addOption(
      new Option('--arch <arch>', 'the architecture').argParser(valueOf(parseArch)).default('x86_64'),
    )
    .option('--stream <stream>', 'a stream such as rhel-9 (default: that of each release)')
    .option('--release-repository <repository>', 'where versions are looked up')
    .addOption(repeatable('--module <file.ko>', 'a module to look at; may be repeated'))
    .addOption(
      repeatable('--image <image>', 'look at the modules of a layered or a kmod image; may be repeated'),
    )
    .option(
      '-f, --file <file>',
      'look at the modules of this spec, as they were built for the first release',
    );
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(command)))
    .addHelpText(
      'after',
      `
Exit code 0 says that nothing has to be built again: the kernel is the same, or no symbol changed that the modules use.

Examples:
  kmodlayer diff 4.18.4 4.18.5
  kmodlayer diff 4.18.4 4.18.9 --module ./ice.ko -o json
  kmodlayer diff 4.18.4 4.18.9 -f kmodlayer.yaml`,
    )
    .action(async (before: string, after: string, flags: DiffFlags) => {
      const { diff } = await import('../diff.ts');

      await diff({ before, after }, flags, context);
    });
}
