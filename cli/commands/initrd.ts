import { Command, Option } from 'commander';
import type { Arch } from '../../src/oci/arch.ts';
import { parseKernelRelease, type KernelRelease } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import {
  addArchFlag,
  addImageFlags,
  addOutputFlag,
  valueOf,
  type ImageFlags,
  type OutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer initrd`. */
export interface InitrdFlags extends OutputFlags, ImageFlags {
  readonly base?: string;
  readonly kernel?: KernelRelease;
  readonly initramfs?: string;
  readonly arch?: Arch;
  readonly autoload: boolean;
  readonly compress: 'none' | 'gzip';
  readonly out: string;
}

/** `kmodlayer initrd`: the archive that brings modules into an initramfs, for PXE and live media. */
export function initrdCommand(context: CliContext): Command {
  const command = new Command('initrd')
    .description('write an archive that brings modules into an initramfs, for PXE and live media')
    .argument('<image-or-file...>', 'the OS image, unless --base names a directory; and the modules')
    .option('--base <dir>', 'a root with lib/modules/RELEASE in place of an image')
    .option(
      '--kernel <release>',
      'the kernel that the modules are for; needed with a directory',
      valueOf(parseKernelRelease),
    )
    .option(
      '--initramfs <file>',
      'the initramfs that the archive is loaded after, for instance that of a live image (default: that of the base)',
    )
    .option('--no-autoload', 'leave it to udev to load the modules; without it they are loaded in any case')
    .addOption(new Option('--compress <how>', 'pack the archive').choices(['none', 'gzip']).default('none'))
    .requiredOption('--out <file>', 'file that receives the archive');
  addArchFlag(command);
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer initrd quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:... ice.ko --out ice.initrd
  kmodlayer initrd --base / --kernel "$(uname -r)" ice.ko --out ice.initrd
  kmodlayer initrd IMAGE ice.ko --initramfs rhcos-live-initramfs.x86_64.img --out ice.initrd

The boot loader is given both, the initramfs first (iPXE: two "initrd" lines; GRUB: initrd A B).`,
    )
    .action(async (names: readonly string[], flags: InitrdFlags) => {
      const { runInitrd } = await import('../run-initrd.ts');

      await runInitrd(names, flags, context);
    });
}
