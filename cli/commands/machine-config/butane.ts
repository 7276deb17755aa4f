import { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config butane`. */
export interface ButaneFlags extends ManifestFlags {
  readonly machineConfig: string;
  readonly openshift: string;
}

/** `kmodlayer machine-config butane`: for those who keep their MachineConfigs as sources of Butane. */
export function butaneCommand(context: CliContext): Command {
  const command = new Command('butane')
    .description('a source of Butane for a MachineConfig of Day 1')
    .requiredOption('--machine-config <file>', 'what "machine-config day1" printed; "-" for stdin')
    .requiredOption('--openshift <version>', 'release that it is for, for instance 4.18');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
Example:
  kmodlayer machine-config butane --machine-config 99-worker-ice.yaml --openshift 4.18 > 99-worker-ice.bu`,
    )
    .action(async (flags: ButaneFlags) => {
      const { printButane } = await import('../../machine-config/butane.ts');
      await printButane(flags, context);
    });
}
