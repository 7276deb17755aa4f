import { SpecError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import { mayHaveFirmware } from '../spec/may-have-firmware.ts';
import { KMOD_IMAGE_FIRMWARE } from './day1/from-set.ts';
import type { KmmModuleOptions } from './kmm-module.ts';

/**
 * Options of the Modules that have KMM load the drivers of a set, one for each driver and pool. What Day 1 loads is
 * unloaded before the Module loads it anew.
 *
 * @param images The images by digest for each kernel, where they are known.
 * @throws {SpecError} `VALUE_INVALID` for a set without kmod images, and for what KMM cannot do.
 */
export function kmmModuleOptionsOf(
  set: DriverSet,
  namespace: string,
  images?: KmmModuleOptions['image'],
): readonly KmmModuleOptions[] {
  const { kmodImage } = set.publish;
  if (kmodImage === undefined) {
    throw cannot(set, 'it has no "kmodImage"', 'Name a repository under "publish.kmodImage".');
  }
  const image = images ?? formatReference(kmodImage);
  return set.drivers.flatMap((driver) =>
    set.rollout.pools.map((pool) => ({
      name: set.rollout.pools.length === 1 ? driver.name : `${driver.name}-${pool}`,
      namespace,
      nodeSelector: { [`node-role.kubernetes.io/${pool}`]: '' },
      image,
      ...moduleOf(set, driver),
    })),
  );
}

function moduleOf(
  set: DriverSet,
  driver: Driver,
): Pick<KmmModuleOptions, 'module' | 'loadFirst' | 'parameters' | 'replaces' | 'firmware'> {
  const first = driver.modules.slice(0, -1);
  const last = driver.modules.at(-1);
  if (last === undefined) throw new TypeError('A driver has no modules');
  const withParameters = first.find(({ parameters }) => Object.keys(parameters).length > 0);
  if (withParameters !== undefined || driver.softdeps.length > 0) {
    throw cannot(
      set,
      `KMM gives parameters to the last module of driver ${driver.name} alone, and knows no softdeps`,
      'Make a driver of each module that has parameters, and a module of each that is to be loaded before.',
    );
  }
  const isDay1 = set.rollout.day1?.includes(driver.name) ?? false;
  const inTree = driver.modules.flatMap(({ replaces }) => replaces);
  // Those that depend on others go first.
  const ours = isDay1 ? [...driver.modules].reverse().map(({ name }) => name) : [];
  return {
    module: last.name,
    loadFirst: first.map(({ name }) => name),
    parameters: last.parameters,
    replaces: [...new Set([...inTree.filter((name) => !ours.includes(name)), ...ours])],
    ...(mayHaveFirmware(driver) ? { firmware: KMOD_IMAGE_FIRMWARE } : {}),
  };
}

function cannot({ file }: DriverSet, why: string, hint: string): SpecError {
  return new SpecError('VALUE_INVALID', `Cannot make Modules from ${file}: ${why}`, { hint });
}
