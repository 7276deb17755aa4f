import { Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { repeatable } from '../flags.ts';

/** Flags of `kmodlayer machine-config day1`. */
export interface Day1Flags {
  readonly file?: string;
  readonly name?: string;
  readonly pool?: string;
  readonly image?: readonly string[];
  readonly module?: readonly string[];
  readonly loader?: string;
  readonly firmware?: string;
  readonly workerImage?: string;
  readonly removeInTree?: readonly string[];
  readonly parameter?: readonly string[];
  readonly directory?: string;
  readonly activation?: string;
  readonly proxy: boolean;
  readonly pullTimeout?: string;
  readonly loadTimeout?: string;
  readonly nodeAuthfile?: string;
  readonly firmwareDirectory?: string;
  readonly remove?: boolean;
  readonly output: 'yaml' | 'json';
}

/** `kmodlayer machine-config day1`: what makes nodes pull a kmod image and load its modules. */
export function day1Command(context: CliContext): Command {
  return withDay1Flags(new Command('day1'))
    .description('a MachineConfig that makes the nodes of a pool pull a kmod image and load its modules')
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['yaml', 'json']).default('yaml'),
    )
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer machine-config day1 --name 99-worker-ice --pool worker \\
    --image quay.io/acme/ice-kmod --module ice --remove-in-tree irdma,ice | oc apply -f -
  kmodlayer machine-config day1 --name 99-worker-ice --pool worker --loader kmm \\
    --image quay.io/acme/ice-kmod --module ice --worker-image quay.io/acme/worker@sha256:4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d
  kmodlayer machine-config day1 -f kmodlayer.yaml -o json`,
    )
    .action(async (flags: Day1Flags) => {
      const { printDay1 } = await import('../day1-manifests.ts');
      await printDay1(flags, context);
    });
}

/** `kmodlayer machine-config verify-script`: what an admin runs on a node that has the MachineConfig of these flags. */
export function verifyScriptCommand(context: CliContext): Command {
  return withDay1Flags(new Command('verify-script'))
    .description(
      'a script that says whether a node is as the MachineConfig of "day1" with these flags wants it',
    )
    .addHelpText(
      'after',
      `
It changes nothing on the node, and ends with exit code 1 when something is not as it should be.

Example:
  kmodlayer machine-config verify-script --name 99-worker-ice --pool worker \\
    --image quay.io/acme/ice-kmod --module ice | oc debug node/worker-0 -- chroot /host bash -s`,
    )
    .action(async (flags: Omit<Day1Flags, 'output'>) => {
      const { printVerifyScript } = await import('../day1-manifests.ts');
      await printVerifyScript(flags, context);
    });
}

function withDay1Flags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the MachineConfig')
    .option('--pool <pool>', 'MachineConfigPool whose nodes load the modules')
    .addOption(
      repeatable(
        '--image <image>',
        'the kmod image: a repository whose tags are kernel releases, an image by digest or tag, or KERNEL=IMAGE@DIGEST, repeated for each kernel',
      ),
    )
    .addOption(repeatable('--module <name>', 'module to load; may be repeated, in the order of loading'))
    .option('--loader <loader>', 'what loads them on the node: host (the default), kmm, kvc or sro')
    .addOption(
      new Option(
        '--remove-in-tree <names>',
        'in-tree modules that are unloaded first, separated by commas',
      ).argParser((text) => text.split(',')),
    )
    .addOption(
      repeatable(
        '--parameter <name=value>',
        'parameter of the module, or MODULE.NAME=VALUE; may be repeated',
      ),
    )
    .option('--firmware <path>', 'directory of the image that holds firmware')
    .option('--directory <path>', 'directory of the image that holds lib/modules (default: /opt)')
    .option('--activation <when>', 'live (the default: with a reboot only where needed), reboot or next-boot')
    .option('--worker-image <image>', 'worker of KMM, for --loader kmm')
    .option('--no-proxy', 'leave the proxy of the cluster out')
    .option('--pull-timeout <seconds>', 'how long a node may try to pull')
    .option('--load-timeout <seconds>', 'how long loading may take; it holds the boot up')
    .option('--node-authfile <path>', 'credentials on the node (default: /var/lib/kubelet/config.json)')
    .option('--firmware-directory <path>', 'where firmware goes on the node (default: /var/lib/firmware)')
    .option('--remove', 'undo on the nodes what the MachineConfig of this name did, for --loader host')
    .option(
      '-f, --file <spec>',
      'take names, modules and image from this kmodlayer.yaml, its rollout.day1, or from a BootModuleConfig',
    );
}
