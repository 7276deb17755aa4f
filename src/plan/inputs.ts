import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';
import type { Arch } from '../oci/arch.ts';
import type { Digest } from '../oci/digest.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverBuild, DriverSource, SignatureHash } from '../spec/driver-set.ts';
import { inputHashOf } from './input-hash.ts';
import { imageKey, type PinnedSource } from './pin-source.ts';

/** What is known of a driver before anything is compiled. */
export interface DriverInputs {
  readonly source: PinnedSource;
  /** Digest of the user's Containerfile, where there is one. */
  readonly containerfile?: Digest | undefined;
  /** Its firmware, by path below the firmware directory. */
  readonly firmware: readonly { readonly path: string; readonly sha256: string }[];
}

/** Who signs: the certificates, or a key that nobody has yet. */
export type SignerInputs =
  'throw-away' | readonly { readonly certificateSha256: string; readonly hash: SignatureHash }[];

/** All that decides what a build of a set gives, but for its targets. */
export interface SetInputs {
  /** By name, one for each driver of the set. */
  readonly drivers: ReadonlyMap<string, DriverInputs>;
  readonly signers: SignerInputs;
  /** Digest of the Containerfiles and scripts of kmodlayer that compile. */
  readonly scripts: Digest;
  /** The image that kmod images stand on; undefined for none. */
  readonly kmodBase?: Digest | undefined;
}

/** The target and kernel that a driver is compiled for. */
export interface CompileInputs {
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  readonly flavour: KernelFlavour;
  readonly target: Pick<Target, 'driverToolkit' | 'rhelVersion'>;
  /** What the source of the driver is pinned to. */
  readonly pin?: PinnedSource | undefined;
  /** Input hashes of the drivers whose symbols it gets. */
  readonly needs?: readonly string[];
}

/**
 * Hash of what a driver is compiled from, whatever the kernel: source, how it is built, and which modules are taken.
 *
 * @throws {TypeError} when the inputs lack the driver.
 */
export function sourceHashOf(driver: Driver, inputs: SetInputs): string {
  const { source, containerfile } = driverInputs(driver, inputs);
  const { build, modules } = driver;
  return inputHashOf({
    kind: 'source',
    source: source.type === 'image' || source.type === 'rpm' ? { type: source.type } : source,
    ...partOf(driver.source),
    modules: modules.map(({ name }) => name),
    ...(build === undefined
      ? {}
      : { build: withoutFiles(build), containerfile: containerfile ?? null, scripts: inputs.scripts }),
  });
}

/** What of a source is built, where a pin does not say it. */
function partOf(source: DriverSource): Readonly<Record<string, unknown>> {
  const tree = source.type === 'dkms' ? source.tree : source;
  if (tree.type === 'archive' && tree.directory !== undefined) return { directory: tree.directory };
  return source.type === 'module' ? { module: source.name ?? null } : {};
}

/** The image or package of one kernel: those of other kernels decide nothing of it. */
function pinFor(
  source: DriverSource,
  { kernel, arch, pin }: CompileInputs,
): Readonly<Record<string, unknown>> {
  if (pin?.type === 'image') return { image: pin.images[imageKey({ kernel, arch })] ?? null };
  if (source.type !== 'rpm') return {};
  const found =
    source.packages.find((one) => one.kernel === kernel) ??
    source.packages.find((one) => one.kernel === undefined);
  return { package: found?.file.sha256 ?? null };
}

/** Hash of all that decides what a compile gives. Modules that are built already come from no driver-toolkit. */
export function compileHashOf({ build, source }: Driver, sourceHash: string, inputs: CompileInputs): string {
  const { kernel, arch, flavour, target, needs = [] } = inputs;
  const toolkit = target.driverToolkit;
  return inputHashOf({
    kind: 'compile',
    source: sourceHash,
    ...pinFor(source, inputs),
    kernel,
    arch,
    flavour,
    ...(needs.length === 0 ? {} : { needs }),
    ...(build === undefined
      ? {}
      : { driverToolkit: toolkit.digest, rhelVersion: toolkit.rhelVersion || target.rhelVersion }),
  });
}

/** Hash of what is in each image of a set besides its modules: names, settings, firmware, and who signs. */
export function settingsHashOf(name: string, drivers: readonly Driver[], inputs: SetInputs): string {
  return inputHashOf({
    kind: 'settings',
    name,
    drivers: drivers.map((driver) => ({
      name: driver.name,
      version: driver.version,
      modules: driver.modules,
      softdeps: driver.softdeps,
      firmware: driverInputs(driver, inputs).firmware,
    })),
    signers: inputs.signers,
  });
}

/** What is known of a driver. @throws {TypeError} when nothing is. */
export function driverInputs({ name }: Driver, { drivers }: SetInputs): DriverInputs {
  const inputs = drivers.get(name);
  if (inputs === undefined) throw new TypeError(`Nothing is known of the driver ${name}`);
  return inputs;
}

/** Where secrets and a Containerfile lie on this machine decides nothing; secrets themselves must not be hashed. */
function withoutFiles(build: DriverBuild): Readonly<Record<string, unknown>> {
  const secrets = build.secrets.map(({ id }) => id);
  return build.type === 'containerfile' ? { ...build, path: null, secrets } : { ...build, secrets };
}
