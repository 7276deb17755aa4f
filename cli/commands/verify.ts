import { Command, InvalidArgumentError, Option } from 'commander';
import type { Arch } from '../../src/oci/arch.ts';
import { parseKernelRelease, type KernelRelease } from '../../src/spec/kernel-release.ts';
import type { CliContext } from '../context.ts';
import type { BootFlags } from '../verify-boot.ts';
import {
  addArchFlag,
  addBoundaryFlags,
  addImageFlags,
  addProofFlag,
  addReportOutputFlags,
  repeatable,
  valueOf,
  type ImageFlags,
  type ProofFlags,
  type ReportOutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer verify`. */
export interface VerifyFlags extends ImageFlags, ReportOutputFlags, ProofFlags, BootFlags {
  readonly arch?: Arch;
  readonly base?: string;
  readonly layers?: number;
  readonly kernel?: KernelRelease;
  readonly cert?: readonly string[];
}

/** `kmodlayer verify <image or file.ko>...`: says whether modules will load, before a node has to find out. */
export function verifyCommand(context: CliContext): Command {
  const command = new Command('verify')
    .description('prove that the modules of images will load, or say which will not, and why')
    .argument(
      '[image-or-file...]',
      'layered OS images, kmod images, or modules: all of one kind; none: all modules of the directory that --base names',
    );
  addBoundaryFlags(
    addArchFlag(command),
    'the OS image that images were built on, or that kmod images and modules are loaded on; for modules a directory, too',
  )
    .option(
      '--kernel <release>',
      'the kernel that the modules must be for; needed with a directory',
      valueOf(parseKernelRelease),
    )
    .addOption(
      repeatable(
        '--cert <file>',
        'a certificate that the nodes trust: modules must be signed with its key, or as those of the kernel are; may be repeated',
      ),
    )
    .option('--boot', 'also boot the kernel in QEMU, and load the modules there as modprobe on the node does')
    .option(
      '--secure-boot',
      'boot with Secure Boot and the certificates of --cert: copies that the kernel must refuse are tried, too',
    )
    .addOption(
      new Option(
        '--enrol <place>',
        "with --secure-boot, put the certificates into the firmware's db, or into shim's list (default: db)",
      ).choices(['db', 'mok']),
    )
    .addOption(
      new Option(
        '--boot-timeout <seconds>',
        'time that a boot may take (default: 60 with KVM, 300 without)',
      ).argParser(parseSeconds),
    )
    .option(
      '--boot-root <directory>',
      'root whose shell, mount, cat and kmod the guest runs, for a base that has none',
    )
    .addOption(
      repeatable(
        '--boot-arg <argument>',
        'an argument of the kernel that the nodes have, such as efi=runtime; may be repeated',
      ),
    );
  return addImageFlags(addProofFlag(addReportOutputFlags(command, ['sarif', 'html'])))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer verify quay.io/acme/rhcos-nic:4.18.4 --cert signing.der
  kmodlayer verify quay.io/acme/nic-kmod:1.0 --base quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
  kmodlayer verify quay.io/acme/rhcos-nic:4.18.4 --cert signing.der --secure-boot --report proof.html
  kmodlayer verify --base / --kernel "$(uname -r)" ./ice.ko.xz
  kmodlayer verify --base / --kernel "$(uname -r)"
  kmodlayer verify IMAGE IMAGE --report proof.html --report proof.sarif

Booting needs QEMU (KMODLAYER_QEMU), and with Secure Boot OVMF (KMODLAYER_OVMF_CODE, KMODLAYER_OVMF_VARS); KVM is used where
it works (KMODLAYER_ACCELERATOR=kvm or tcg decides). No root is needed.

Ends with 1 when a module would not load, or a rule of images is broken that is an error; with 2 when
nothing says where the base of an OS image ends: --base IMAGE or --layers COUNT does.`,
    )
    .action(async (names: readonly string[], flags: VerifyFlags) => {
      const { verifyTargets } = await import('../verify-targets.ts');

      await verifyTargets(names, flags, context);
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d{1,5}$/.test(text) && seconds > 0) return seconds;
  throw new InvalidArgumentError('Write a number of seconds from 1 on.');
}
