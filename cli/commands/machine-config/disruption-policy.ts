import { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config disruption-policy`. */
export interface DisruptionPolicyFlags extends ManifestFlags {
  readonly file?: string;
  readonly loader?: string;
  readonly machineConfig?: readonly string[];
  readonly path?: readonly string[];
  readonly unit?: readonly string[];
}

/** `kmodlayer machine-config disruption-policy`: what may change without a reboot. */
export function disruptionPolicyCommand(context: CliContext): Command {
  const command = new Command('disruption-policy')
    .description('a MachineConfiguration that lets files and units of Day 1 change without a reboot of nodes')
    .addOption(
      repeatable(
        '--machine-config <file>',
        'take the files and units of what "machine-config day1" printed, "-" for stdin; may be repeated',
      ),
    )
    .addOption(repeatable('--path <path>', 'another file of the nodes; may be repeated'))
    .addOption(repeatable('--unit <name>', 'another unit of the nodes; may be repeated'))
    .option('-f, --file <spec>', 'take those of the Day 1 drivers of this kmodlayer.yaml')
    .option('--loader <loader>', 'what loads them on the node, with --file (default: host)');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
New files and units wait for the next boot of their node. Apply it on the server's side, so that other policies stay.

Examples:
  kmodlayer machine-config disruption-policy --machine-config 99-worker-ice.yaml | oc apply --server-side -f -
  kmodlayer machine-config disruption-policy -f kmodlayer.yaml --path /etc/modprobe.d/ice.conf`,
    )
    .action(async (flags: DisruptionPolicyFlags) => {
      const { printDisruptionPolicy } = await import('../../machine-config/disruption-policy.ts');
      await printDisruptionPolicy(flags, context);
    });
}
