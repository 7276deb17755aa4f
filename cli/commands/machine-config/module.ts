import { Command, Option } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config module`. */
export interface ModuleFlags extends ManifestFlags {
  readonly file?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly nodeSelector?: readonly string[];
  readonly module?: string;
  readonly image?: readonly string[];
  readonly kernels?: string;
  readonly parameter?: readonly string[];
  readonly loadFirst?: readonly string[];
  readonly removeInTree?: readonly string[];
  readonly moduleVersion?: string;
  readonly firmware?: string;
  readonly directory?: string;
  readonly imagePullSecret?: string;
}

/** `kmodlayer machine-config module`: Kernel Module Management loads the modules, or takes them over from Day 1. */
export function moduleCommand(context: CliContext): Command {
  const command = new Command('module')
    .description(
      'a Module of Kernel Module Management, which loads modules on Day 2 or takes them over from Day 1',
    )
    .option('--name <name>', 'name of the Module')
    .option('--namespace <namespace>', 'its namespace')
    .addOption(
      repeatable('--node-selector <label=value>', 'label of the nodes that load it; may be repeated'),
    )
    .option('--module <name>', 'module to load, spelt as its file is')
    .addOption(
      repeatable(
        '--image <image>',
        'the kmod image: a repository whose tags are kernel releases, an image by digest or tag, or KERNEL=IMAGE@DIGEST, repeated for each kernel',
      ),
    )
    .option('--kernels <regexp>', 'kernels that the image is for (default: all)')
    .addOption(repeatable('--parameter <name=value>', 'parameter of the module; may be repeated'))
    .addOption(
      repeatable('--load-first <name>', 'module to load before; may be repeated, in the order of loading'),
    )
    .addOption(
      new Option(
        '--remove-in-tree <names>',
        'modules that are unloaded first, separated by commas: in-tree ones, and those of Day 1 to take over',
      ).argParser((text) => text.split(',')),
    )
    .option('--module-version <version>', 'load it only on nodes that are labelled with this version')
    .option('--firmware <path>', 'directory of the image that holds firmware')
    .option('--directory <path>', 'directory of the image that holds lib/modules (default: /opt)')
    .option('--image-pull-secret <name>', 'secret with credentials for the image')
    .option('-f, --file <spec>', 'the drivers of this kmodlayer.yaml; those of Day 1 are taken over');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
With --module-version, nodes load it when they have the label
kmm.node.kubernetes.io/version-module.NAMESPACE.NAME=VERSION.

Examples:
  kmodlayer machine-config module --name ice --namespace kmm --node-selector node-role.kubernetes.io/worker= \\
    --image quay.io/acme/ice-kmod --module ice --remove-in-tree irdma,ice | oc apply -f -
  kmodlayer machine-config module -f kmodlayer.yaml --namespace kmm`,
    )
    .action(async (flags: ModuleFlags) => {
      const { printModules } = await import('../../machine-config/module.ts');
      await printModules(flags, context);
    });
}
