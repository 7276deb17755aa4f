import { readFile } from 'node:fs/promises';
import type { Arch } from '../../src/oci/arch.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { SetInputs } from '../../src/plan/inputs.ts';
import { parseReference, pinned } from '../../src/oci/reference.ts';
import type { PinnedSource } from '../../src/plan/pin-source.ts';
import type { ResolvedImage, Target } from '../../src/resolve/target.ts';
import type { DriverSet } from '../../src/spec/driver-set.ts';
import { type KernelFlavour, parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';

export interface TargetOptions {
  readonly arch?: Arch;
  readonly stream?: string;
  /** Kernels beside the default one. */
  readonly flavours?: readonly Exclude<KernelFlavour, 'default'>[];
}

/** A target as a release of this version would resolve to: each image has a digest of its own. */
export function makeTarget(version: string, kernelRelease: string, options: TargetOptions = {}): Target {
  const { arch = 'x86_64', stream = 'rhel-9', flavours = [] } = options;
  const repository = parseReference('quay.example.com/release/images');
  const image = (name: string): ResolvedImage => {
    const digest = digestOf(Buffer.from(`${name} ${version} ${arch} ${stream}`));
    const reference = pinned(repository, digest);
    return { name, digest, reference, location: reference };
  };
  const kernel = parseKernelRelease(kernelRelease);
  const { digest, reference } = image('release');
  return {
    release: { version: parseOpenShiftVersion(version), digest, reference },
    arch,
    stream,
    osImage: { ...image('rhel-coreos'), kernel, kernelSource: 'ostree.linux', machineOs: '' },
    extensions: image('rhel-coreos-extensions'),
    driverToolkit: {
      ...image('driver-toolkit'),
      kernel,
      rtKernel: flavours.includes('rt') ? parseKernelRelease(`${kernel}+rt`) : undefined,
      rhelVersion: '9.4',
    },
    kernels: [
      { flavour: 'default', release: kernel, isInOsImage: true },
      ...flavours.map((flavour) => ({
        flavour,
        release: parseKernelRelease(`${kernel}+${flavour}`),
        isInOsImage: false,
      })),
    ],
    rhelVersion: '9.4',
  };
}

/** The releases that a vendor's table lists, with their kernels. */
export async function tableOfReleases(): Promise<readonly Target[]> {
  const table = JSON.parse(await readFile('fixtures/releases/kernels-of-releases.json', 'utf8')) as Readonly<
    Record<string, readonly string[]>
  >;
  return Object.entries(table).flatMap(([kernel, versions]) =>
    versions.map((version) => makeTarget(version, kernel)),
  );
}

/** What a set is built from, with pins that are made up of the drivers' names. */
export function makeInputs(
  { drivers }: Pick<DriverSet, 'drivers'>,
  changes: Partial<SetInputs> = {},
): SetInputs {
  return {
    drivers: new Map(drivers.map(({ name }) => [name, { source: pinOf(name), firmware: [] }])),
    signers: [],
    scripts: digestOf(Buffer.from('scripts')),
    ...changes,
  };
}

export function pinOf(text: string): PinnedSource {
  return { type: 'directory', digest: digestOf(Buffer.from(text)) };
}
