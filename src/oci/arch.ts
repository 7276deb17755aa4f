import { OciError } from '../errors.ts';

/** An architecture as the kernel and RPM name it, and as releases are tagged. */
export type Arch = 'x86_64' | 'aarch64' | 'ppc64le' | 's390x';

/** An architecture as OCI platforms, Go and the update graph name it. */
export type GoArch = 'amd64' | 'arm64' | 'ppc64le' | 's390x';

const GO_ARCH = { x86_64: 'amd64', aarch64: 'arm64', ppc64le: 'ppc64le', s390x: 's390x' } as const;

/** All architectures, in the order in which they are shown. */
export const ARCHES: readonly Arch[] = ['x86_64', 'aarch64', 'ppc64le', 's390x'];

/** `amd64` for `x86_64`, and so on. */
export function goArchOf(arch: Arch): GoArch {
  return GO_ARCH[arch];
}

/** `x86_64` for `amd64`, and so on; undefined for an architecture that OpenShift does not run on. */
export function findArch(goArch: string): Arch | undefined {
  return ARCHES.find((arch) => GO_ARCH[arch] === goArch);
}

/**
 * Reads an architecture in either spelling.
 *
 * @throws {OciError} `PLATFORM_MISSING` for any other text.
 */
export function parseArch(text: string): Arch {
  const arch = ARCHES.find((known) => known === text) ?? findArch(text);
  if (arch === undefined) {
    throw new OciError('PLATFORM_MISSING', `Cannot use architecture ${JSON.stringify(text.slice(0, 100))}`, {
      hint: `Known architectures: ${ARCHES.join(', ')}.`,
    });
  }
  return arch;
}
