import { createHash } from 'node:crypto';
import { readContainerfile } from './compile/compile.ts';
import * as scripts from './compile/dockerfiles.generated.ts';
import { LayerError, SpecError } from './errors.ts';
import type { Io } from './io.ts';
import { readFirmware } from './layer/firmware.ts';
import { type Digest, digestOf } from './oci/digest.ts';
import { formatReference } from './oci/reference.ts';
import { canonicalJson } from './plan/input-hash.ts';
import type { DriverInputs, SetInputs, SignerInputs } from './plan/inputs.ts';
import { type PinnedKernel, pinSource, type PinnedSource } from './plan/pin-source.ts';
import { plan, type Plan, requireSomewhereToGo } from './plan/plan.ts';
import type { Target } from './resolve/target.ts';
import { readCertificates, type SigningCertificate } from './sign/open-signers.ts';
import { type Driver, type DriverSet, pathFrom, referenceFrom } from './spec/spec.ts';

/** What the sources of drivers are pinned to, by driver. */
export type Pins = Readonly<Record<string, PinnedSource>>;

/** A plan, and what it was made from. */
export interface PlannedBuild {
  readonly plan: Plan;
  readonly inputs: SetInputs;
  /** Whose signatures the modules must have; undefined when the key is made for the build. */
  readonly certificates: readonly SigningCertificate[] | undefined;
}

/**
 * Plans a set for targets: reads certificates, Containerfiles, firmware and what sources are pinned to, and touches
 * no key; a registry only for the digest of a base of kmod images that is named by tag.
 *
 * @param pins What the sources are pinned to, by driver; a driver that is not among them is pinned now.
 * @throws {SpecError} `USAGE` when modules have nowhere to go; {SignError}, {CompileError} for files that cannot be
 *   read; {LayerError} `PATH_CONFLICT` when two drivers ship one file.
 */
export async function planSet(
  set: DriverSet,
  targets: readonly Target[],
  {
    pins = {},
    isOffline = false,
  }: { readonly pins?: Pins | undefined; readonly isOffline?: boolean | undefined },
  io: Pick<Io, 'files' | 'sources' | 'images' | 'signal'>,
): Promise<PlannedBuild> {
  requireSomewhereToGo(set);
  const certificates = await readCertificates(set, io);
  const drivers = new Map<string, DriverInputs>();
  for (const driver of set.drivers)
    drivers.set(driver.name, await readDriver(set, driver, { pins, targets }, io));
  requireNothingTwice(drivers);
  const inputs = {
    drivers,
    signers: signersOf(certificates),
    scripts: digestOf(Buffer.from(canonicalJson(scripts))),
    kmodBase: await pinKmodBase(set, isOffline, io),
  };
  return { plan: plan(set, targets, inputs), inputs, certificates };
}

async function readDriver(
  set: DriverSet,
  driver: Driver,
  { pins, targets }: { readonly pins: Pins; readonly targets: readonly Target[] },
  io: Pick<Io, 'files' | 'sources' | 'images' | 'signal'>,
): Promise<DriverInputs> {
  const containerfile = await readContainerfile({ set, driver }, io);
  const firmware =
    driver.firmware === undefined ? [] : await readFirmware(pathFrom(set.file, driver.firmware), io.files);
  return {
    source: pins[driver.name] ?? (await pinSource(driver, set, io, kernelsOf(set, targets))),
    ...(containerfile === undefined ? {} : { containerfile: digestOf(Buffer.from(containerfile)) }),
    firmware: firmware.map(({ path, bytes }) => ({ path, sha256: sha256(bytes) })),
  };
}

/** The kernels that anything is made for. */
export function kernelsOf(
  { targets: { kernels } }: DriverSet,
  targets: readonly Target[],
): readonly PinnedKernel[] {
  return targets.flatMap((target) =>
    target.kernels
      .filter(({ flavour }) => kernels.includes(flavour))
      .map(({ release }) => ({ kernel: release, arch: target.arch })),
  );
}

/** A base that is named by tag is what its tag stands for now. */
async function pinKmodBase(
  set: DriverSet,
  isOffline: boolean,
  io: Pick<Io, 'images'>,
): Promise<Digest | undefined> {
  const { kmodImage, kmodBase } = set.publish;
  if (kmodImage === undefined || kmodBase === undefined) return undefined;
  const named = referenceFrom(set.file, kmodBase);
  if (named.digest !== undefined) return named.digest;
  if (isOffline) {
    throw new SpecError(
      'USAGE',
      `Cannot plan offline: the base ${formatReference(named)} of kmod images is named by tag`,
      {
        hint: 'Name it by digest.',
      },
    );
  }
  const repository = await io.images.open(named, 'read');
  const wanted = named.tag ?? (await repository.defaultManifest());
  return wanted === undefined ? undefined : (await repository.getManifest(wanted)).digest;
}

function signersOf(certificates: readonly SigningCertificate[] | undefined): SignerInputs {
  if (certificates === undefined) return 'throw-away';
  return certificates.map(({ certificate, hash }) => ({ certificateSha256: sha256(certificate.der), hash }));
}

/** Found before anything is compiled. Modules of one name are a problem of the spec. */
function requireNothingTwice(drivers: ReadonlyMap<string, DriverInputs>): void {
  const owners = new Map<string, string>();
  for (const [driver, { firmware }] of drivers) {
    for (const { path } of firmware) {
      const owner = owners.get(path);
      owners.set(path, driver);
      if (owner === undefined) continue;
      throw new LayerError(
        'PATH_CONFLICT',
        `Cannot ship /usr/lib/firmware/${path} twice: the drivers ${owner} and ${driver} both have it`,
        { hint: 'Take the file out of one of them: an image has one file of a name.' },
      );
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
