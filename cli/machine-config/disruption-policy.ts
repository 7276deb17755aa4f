import { day1OptionsOf } from '../../src/manifests/day1/from-set.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import {
  makeNodeDisruptionPolicy,
  type NodeDisruptionPolicyOptions,
} from '../../src/manifests/node-disruption-policy.ts';
import type { DisruptionPolicyFlags } from '../commands/machine-config/disruption-policy.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests, readObjects, readSpec } from './manifests.ts';

/** Flags by option. */
const FLAG_NAMES = { machineConfigs: '--machine-config', files: '--path', units: '--unit' };

/** Prints the policy for the MachineConfigs, files and units that flags or a spec name. */
export async function printDisruptionPolicy(
  flags: DisruptionPolicyFlags,
  context: CliContext,
): Promise<void> {
  const machineConfigs: unknown[] =
    flags.file === undefined ? [] : [...(await machineConfigsOfSpec(flags, flags.file, context))];
  for (const file of flags.machineConfig ?? []) machineConfigs.push(...(await readObjects(file, context)));
  const options = defined({ machineConfigs, files: flags.path, units: flags.unit });
  const policy = fromFlags(FLAG_NAMES, () =>
    makeNodeDisruptionPolicy(options as NodeDisruptionPolicyOptions),
  );
  printManifests([policy], flags, context);
}

async function machineConfigsOfSpec(
  { loader }: DisruptionPolicyFlags,
  file: string,
  context: CliContext,
): Promise<readonly object[]> {
  const set = await readSpec(file, {}, context);
  return fromFlags({}, () =>
    day1OptionsOf(set).map((options) => makeDay1MachineConfig({ ...options, ...defined({ loader }) })),
  );
}
