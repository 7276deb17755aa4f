import { SpecError } from '../../src/errors.ts';
import {
  type FirmwarePathOptions,
  makeFirmwarePathMachineConfig,
} from '../../src/manifests/firmware-path.ts';
import { objectNameFrom } from '../../src/spec/object-name.ts';
import type { FirmwareFlags } from '../commands/machine-config/firmware.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests, readSpec } from './manifests.ts';

/** Prints the MachineConfigs for firmware that flags or a spec ask for. */
export async function printFirmwarePaths(flags: FirmwareFlags, context: CliContext): Promise<void> {
  const { name, pool, directory } = flags;
  const options =
    flags.file === undefined ? [{ name, pool }] : await optionsOfSpec(flags, flags.file, context);
  const objects = options.map((one) =>
    fromFlags({}, () =>
      makeFirmwarePathMachineConfig(defined({ ...one, directory }) as unknown as FirmwarePathOptions),
    ),
  );
  printManifests(objects, flags, context);
}

async function optionsOfSpec(
  { name, pool }: FirmwareFlags,
  file: string,
  context: CliContext,
): Promise<readonly { readonly name: string; readonly pool: string }[]> {
  const set = await readSpec(file, { name, pool }, context);
  if (set.drivers.every(({ firmware }) => firmware === undefined)) {
    throw new SpecError('VALUE_INVALID', `Cannot make this from ${file}: none of its drivers has firmware`, {
      hint: 'Name the directory of the firmware under "drivers[].firmware".',
    });
  }
  return set.rollout.pools.map((one) => ({
    name: objectNameFrom(`99-${one}-${set.name}-firmware-path`),
    pool: one,
  }));
}
