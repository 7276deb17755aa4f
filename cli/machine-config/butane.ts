import { SpecError } from '../../src/errors.ts';
import { type ButaneOptions, makeButane } from '../../src/manifests/butane.ts';
import type { ButaneFlags } from '../commands/machine-config/butane.ts';
import type { CliContext } from '../context.ts';
import { fromFlags, printManifests, readObjects } from './manifests.ts';

/** Prints the source of Butane for the MachineConfig of a file. */
export async function printButane(flags: ButaneFlags, context: CliContext): Promise<void> {
  const [machineConfig, ...others] = await readObjects(flags.machineConfig, context);
  if (others.length > 0) {
    throw new SpecError('USAGE', `Cannot make one source of ${others.length + 1} MachineConfigs`, {
      hint: 'Give a file with one of them.',
    });
  }
  const options = { machineConfig, release: flags.openshift } as ButaneOptions;
  printManifests([fromFlags({ release: '--openshift' }, () => makeButane(options))], flags, context);
}
