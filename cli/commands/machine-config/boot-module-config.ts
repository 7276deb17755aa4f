import { Command, Option } from 'commander';
import type { CliContext } from '../../context.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config boot-module-config`. */
export interface BootModuleConfigFlags extends ManifestFlags {
  readonly name?: string;
  readonly namespace?: string;
  readonly pool?: string;
  readonly image?: string;
  readonly module?: string;
  readonly removeInTree?: readonly string[];
  readonly firmware?: string;
  readonly workerImage?: string;
}

/** `kmodlayer machine-config boot-module-config`: the operator of KMM writes the MachineConfig. */
export function bootModuleConfigCommand(context: CliContext): Command {
  const command = new Command('boot-module-config')
    .description('a BootModuleConfig, of which the operator of KMM makes a MachineConfig of Day 1')
    .option('--name <name>', 'name of it and of the MachineConfig')
    .option('--namespace <namespace>', 'its namespace')
    .option('--pool <pool>', 'MachineConfigPool whose nodes load the module')
    .option('--image <repository>', 'the kmod image: a repository whose tags are kernel releases')
    .option('--module <name>', 'module to load')
    .addOption(
      new Option(
        '--remove-in-tree <names>',
        'in-tree modules that are unloaded first, separated by commas',
      ).argParser((text) => text.split(',')),
    )
    .option('--firmware <path>', 'directory of the image that holds firmware')
    .option('--worker-image <image>', 'worker of KMM; that of the operator when absent');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
Example:
  kmodlayer machine-config boot-module-config --name 99-worker-ice --namespace kmm --pool worker \\
    --image quay.io/acme/ice-kmod --module ice --remove-in-tree irdma,ice | oc apply -f -`,
    )
    .action(async (flags: BootModuleConfigFlags) => {
      const { printBootModuleConfig } = await import('../../machine-config/boot-module-config.ts');
      printBootModuleConfig(flags, context);
    });
}
