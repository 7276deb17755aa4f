import { createHash } from 'node:crypto';
import type { CompiledDriver } from './compile/compile.ts';
import type { Io } from './io.ts';
import { decompressModule } from './kmod/compression.ts';
import type { KernelModule } from './kmod/module.ts';
import { readModule } from './kmod/read-module.ts';
import { readFirmware } from './layer/firmware.ts';
import type { PlacedDriver, PlacedModule } from './layer/place.ts';
import type { DriverProvenance } from './layer/provenance.ts';
import type { Arch } from './oci/arch.ts';
import type { CompileUnit } from './plan/plan.ts';
import type { OpenedSigner } from './sign/open-signers.ts';
import { signModuleByAll } from './sign/sign.ts';
import { isSignedByThrowAwayKey } from './sign/throw-away-key.ts';
import type { KernelRelease } from './spec/kernel-release.ts';
import { type Driver, type DriverSet, pathFrom } from './spec/spec.ts';
import { STATIC_PASS } from './verify/report.ts';
import { requireBuiltFor } from './verify/require-loadable.ts';

/** A driver whose modules are ready to go into an image. */
export interface SignedDriver {
  readonly driver: Driver;
  readonly compiled: CompiledDriver;
  readonly placed: PlacedDriver;
  /** By path below the module directory. */
  readonly modules: ReadonlyMap<string, KernelModule>;
}

export interface SignDriversRequest {
  readonly set: DriverSet;
  readonly drivers: readonly CompiledDriver[];
  /** None: the modules stay unsigned. */
  readonly signers: readonly OpenedSigner[];
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  /** Where the image has a module of a driver, below its module directory. */
  readonly pathOf: (driver: string, fileName: string) => string;
}

/**
 * Signs all modules of drivers, and reads their firmware.
 *
 * @throws {ModuleError} for a module that was built for something else; {SignError}; {CompileError} for firmware.
 */
export async function signDrivers(
  { set, drivers, signers, kernel, arch, pathOf }: SignDriversRequest,
  io: Pick<Io, 'files'>,
): Promise<readonly SignedDriver[]> {
  return Promise.all(
    drivers.map(async (compiled) => {
      const driver = set.drivers.find(({ name }) => name === compiled.driver);
      if (driver === undefined) throw new TypeError(`No driver for the results of ${compiled.driver}`);
      const modules = new Map<string, KernelModule>();
      const placed: PlacedModule[] = [];
      for (const spec of driver.modules) {
        const found = compiled.modules.find(({ name }) => name === spec.name);
        if (found === undefined)
          throw new TypeError(`No module ${spec.name} in the results of ${driver.name}`);
        const plain = await decompressModule(found.bytes);
        const fileName = found.fileName.replace(/\.(?:gz|xz|zst)$/, '');
        const module = readModule(plain);
        const { madeFor } = compiled;
        requireBuiltFor({ fileName, module, arch, kernel: madeFor?.kernel ?? kernel });
        // What was published has the signatures of the set's signers already: its bytes do not change.
        const isSigned = signers.length === 0 || madeFor !== undefined;
        const bytes = isSigned ? plain : await signModuleByAll(plain, signers, spec.name);
        modules.set(pathOf(driver.name, fileName), module);
        placed.push({ ...spec, fileName, bytes });
      }
      const firmware = [
        ...(driver.firmware === undefined
          ? []
          : await readFirmware(pathFrom(set.file, driver.firmware), io.files)),
        ...(compiled.firmware ?? []),
      ];
      return {
        driver,
        compiled,
        modules,
        placed: { name: driver.name, modules: placed, softdeps: driver.softdeps, firmware },
      };
    }),
  );
}

/**
 * What an image says of a driver.
 *
 * @param directory The module directory of the kernel in the image.
 * @param units What was compiled for the image.
 */
export function driverProvenance(
  { driver, compiled, placed, modules }: SignedDriver,
  directory: string,
  units: readonly CompileUnit[],
): DriverProvenance {
  const paths = [...modules.keys()];
  return {
    name: driver.name,
    version: driver.version,
    source: { ...compiled.source },
    sourceHash: units.find((unit) => unit.driver.name === driver.name)?.sourceHash,
    ...(compiled.madeFor === undefined ? {} : { madeFor: { ...compiled.madeFor, proof: STATIC_PASS } }),
    modules: placed.modules.map(({ name, bytes, replaces }, at) => ({
      name,
      path: `${directory}/${paths[at] ?? ''}`,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      replaces,
    })),
  };
}

/** Says whether nobody will ever be able to trust the modules. */
export function isThrowAway(
  { signing }: Pick<DriverSet, 'signing'>,
  signed: readonly SignedDriver[],
): boolean {
  return (
    signing.type === 'throw-away' ||
    // Prebuilt modules may come with such a signature, which they keep when nobody signs them.
    signed.some(({ placed }) => placed.modules.some(({ bytes }) => isSignedByThrowAwayKey(bytes)))
  );
}
