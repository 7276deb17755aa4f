import { Command } from 'commander';
import { parseKernelRelease, type KernelRelease } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import { addOutputFlag, addReportFlags, repeatable, valueOf, type OutputFlags } from '../flags.ts';
import type { ReportFlags } from '../report/event-text.ts';

/** Flags of `kmodlayer depmod`. */
export interface DepmodFlags extends OutputFlags, ReportFlags {
  readonly base: string;
  readonly kernel: KernelRelease;
  readonly add: readonly string[];
  readonly out: string;
}

/** `kmodlayer depmod`: merges modules into the indexes of a directory, as depmod would write them. */
export function depmodCommand(context: CliContext): Command {
  const command = new Command('depmod')
    .description('merge modules into the indexes of a kernel, without reading its modules')
    .requiredOption(
      '--base <dir>',
      'a root with usr/lib/modules/RELEASE or lib/modules/RELEASE and depmod.d, or that directory itself',
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
      ).makeOptionMandatory(),
    )
    .requiredOption('--out <dir>', 'directory that receives the index files that change');
  return addReportFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Example:
  kmodlayer depmod --base / --kernel "$(uname -r)" --add ice.ko:extra/ice/ice.ko --out indexes`,
    )
    .action(async (flags: DepmodFlags) => {
      const { mergeDirectory } = await import('../merge-directory.ts');

      await mergeDirectory(flags, context);
    });
}
