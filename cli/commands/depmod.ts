import { Command, Option } from 'commander';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import { parseKernelRelease, type KernelRelease } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addOutputFlag,
  repeatable,
  valueOf,
  type ImageFlags,
  type OutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer depmod`. */
export interface DepmodFlags extends OutputFlags, ImageFlags {
  /** A directory or an image. */
  readonly base: string;
  readonly kernel: KernelRelease;
  readonly add?: readonly string[];
  readonly full?: boolean;
  readonly config?: readonly string[];
  readonly arch?: Arch;
  readonly out: string;
}

/** `kmodlayer depmod`: merges modules into the indexes of a kernel, or computes them all, as depmod would write them. */
export function depmodCommand(context: CliContext): Command {
  const command = new Command('depmod')
    .description('merge modules into the indexes of a kernel, without reading its modules')
    .requiredOption(
      '--base <dir-or-image>',
      'a root with lib/modules/RELEASE and depmod.d, that directory itself, or an image such as quay.io/a/b:tag',
    )
    .requiredOption(
      '--kernel <release>',
      'kernel release, as uname -r prints it',
      valueOf(parseKernelRelease),
    )
    .addOption(
      repeatable(
        '--add <file[:path]>',
        'a module, and its path below the directory of the kernel (default: extra/FILE); may be repeated',
      ),
    )
    .option('--full', 'read every module of the directory and write every index, as depmod -a does')
    .addOption(
      repeatable(
        '-C, --config <file-or-dir>',
        'depmod.d files in place of those of the base, as for depmod; may be repeated',
      ),
    )
    .addOption(
      new Option('--arch <arch>', 'the architecture to choose in a multi-architecture image').argParser(
        valueOf(parseArch),
      ),
    )
    .requiredOption('--out <dir>', 'directory that receives the index files that change');
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer depmod --base / --kernel "$(uname -r)" --add ice.ko:extra/ice/ice.ko --out indexes
  kmodlayer depmod --full --base /opt --kernel "$KERNEL_RELEASE" --out "/opt/lib/modules/$KERNEL_RELEASE"`,
    )
    .action(async (flags: DepmodFlags) => {
      const { runDepmod } = await import('../run-depmod.ts');

      await runDepmod(flags, context);
    });
}
