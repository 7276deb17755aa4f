import { SpecError } from '../../errors.ts';
import { formatReference } from '../../oci/reference.ts';
import type { Driver, DriverSet } from '../../spec/driver-set.ts';
import { mayHaveFirmware } from '../../spec/may-have-firmware.ts';
import { objectNameFrom } from '../../spec/object-name.ts';
import type { Day1DriverOptions, Day1DriversOptions } from './options.ts';

/** Where a kmod image has the firmware of its drivers. */
export const KMOD_IMAGE_FIRMWARE = '/firmware';

/**
 * Options of the MachineConfigs that load the Day 1 drivers of a set, one for each pool. All drivers of a set are in one
 * kmod image, which has a tag for each kernel.
 *
 * @param images The images by digest for each kernel, where they are known.
 * @throws {SpecError} `VALUE_INVALID` when the set has none.
 */
export function day1OptionsOf(
  set: DriverSet,
  images?: Day1DriverOptions['image'],
): readonly Day1DriversOptions[] {
  const { rollout, publish } = set;
  const names = rollout.day1 ?? [];
  if (names.length === 0 || publish.kmodImage === undefined) {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot make manifests of Day 1 from ${set.file}: it has no "day1"`,
      {
        hint: 'List drivers under "rollout.day1", and the repository of their images under "publish.kmodImage".',
      },
    );
  }
  const image = images ?? formatReference(publish.kmodImage);
  const drivers = names.flatMap((name) =>
    set.drivers.filter((driver) => driver.name === name).map((driver) => driverOf(driver, image)),
  );
  return rollout.pools.map((pool) => ({
    name: objectNameFrom(`99-${pool}-${set.name}-day1`),
    pool,
    drivers,
  }));
}

function driverOf(driver: Driver, image: Day1DriverOptions['image']): Day1DriverOptions {
  const { name, modules, softdeps } = driver;
  return {
    name,
    image,
    modules: modules.map(({ name, parameters, replaces }) => ({ name, parameters, replaces })),
    softdeps,
    ...(mayHaveFirmware(driver) ? { firmware: KMOD_IMAGE_FIRMWARE } : {}),
  };
}
