import { Command } from 'commander';
import type { Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addArchFlag,
  addBoundaryFlags,
  addImageFlags,
  addReportOutputFlags,
  type ImageFlags,
  type ReportOutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer lint`. */
export interface LintFlags extends ImageFlags, ReportOutputFlags {
  readonly openshift?: string;
  readonly pool?: string;
  readonly arch?: Arch;
  readonly base?: string;
  readonly layers?: number;
}

const BASE = 'the OS image that the images were built on, when they do not say it';

/** `kmodlayer lint <file or image>...`: holds what others wrote to what operators and nodes do with it. */
export function lintCommand(context: CliContext): Command {
  const command = new Command('lint')
    .description('find in manifests and images what a cluster would refuse, drop or never load')
    .argument(
      '<file-or-image...>',
      'manifests: files, directories or - for stdin; images: such as quay.io/a/b:tag or oci:DIR:TAG',
    )
    .option('--openshift <release>', 'release, such as 4.18, to judge MachineConfigs by')
    .option('--pool <name>', 'merge MachineConfigs as this pool would, and as no other');
  addBoundaryFlags(addArchFlag(command), BASE);
  return addImageFlags(addReportOutputFlags(command, ['sarif']))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer lint 99-worker-ice.yaml 99-worker-tuning.yaml --openshift 4.18
  kmodlayer lint must-gather/cluster-scoped-resources/machineconfiguration.openshift.io
  oc get machineconfigs -o yaml | kmodlayer lint - -o sarif --output-file lint.sarif
  kmodlayer lint quay.io/acme/rhcos-nic:4.18.4
  kmodlayer lint oci:./image --layers 1

All manifests of one call are linted together, as pools would merge them.
Ends with 1 when something is an error, and with 2 when a file cannot be read;
warnings and notes leave it at 0.`,
    )
    .action(async (names: readonly string[], flags: LintFlags) => {
      const { lint } = await import('../lint.ts');

      await lint(names, flags, context);
    });
}
