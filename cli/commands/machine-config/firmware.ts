import { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config firmware`. */
export interface FirmwareFlags extends ManifestFlags {
  readonly file?: string;
  readonly name?: string;
  readonly pool?: string;
  readonly directory?: string;
}

/** `kmodlayer machine-config firmware`: where kernels look for firmware first. */
export function firmwareCommand(context: CliContext): Command {
  const command = new Command('firmware')
    .description('a MachineConfig that makes kernels look for firmware in a writable directory')
    .option('--name <name>', 'name of the MachineConfig')
    .option('--pool <pool>', 'MachineConfigPool whose nodes get it')
    .option('--directory <path>', 'the directory on the node (default: /var/lib/firmware)')
    .option(
      '-f, --file <spec>',
      'for the pools of this kmodlayer.yaml, when one of its drivers has firmware',
    );
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
Example:
  kmodlayer machine-config firmware --name 99-worker-firmware-path --pool worker | oc apply -f -`,
    )
    .action(async (flags: FirmwareFlags) => {
      const { printFirmwarePaths } = await import('../../machine-config/firmware.ts');
      await printFirmwarePaths(flags, context);
    });
}
