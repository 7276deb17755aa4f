import { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config pool`. */
export interface PoolFlags extends ManifestFlags {
  readonly file?: string;
  readonly name?: string;
  readonly nodeSelector?: readonly string[];
  readonly maxUnavailable?: string;
  readonly paused?: boolean;
  readonly osImageStream?: string;
}

/** `kmodlayer machine-config pool`: a pool for some of the workers. */
export function poolCommand(context: CliContext): Command {
  const command = new Command('pool')
    .description('a MachineConfigPool for some of the workers')
    .option('--name <name>', 'name of the pool')
    .addOption(
      repeatable(
        '--node-selector <label=value>',
        'label of its nodes (default: node-role.kubernetes.io/NAME=); may be repeated',
      ),
    )
    .option(
      '--max-unavailable <nodes>',
      'how many nodes are updated at a time: a number, or a part such as 10%',
    )
    .option('--paused', 'hold updates of the pool back')
    .option('--os-image-stream <stream>', 'stream of its OS image; never beside an osImageURL')
    .option(
      '-f, --file <spec>',
      'the pools of this kmodlayer.yaml: its rollout.pools, without those of every cluster',
    );
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer machine-config pool --name worker-rt --max-unavailable 10% | oc apply -f -
  kmodlayer machine-config pool -f kmodlayer.yaml --paused`,
    )
    .action(async (flags: PoolFlags) => {
      const { printPools } = await import('../../machine-config/pool.ts');
      await printPools(flags, context);
    });
}
