import { SpecError } from '../errors.ts';
import { type Arch, ARCHES, goArchOf } from '../oci/arch.ts';
import { type KernelRelease, parseKernelRelease } from '../spec/kernel-release.ts';

const FORM = /^\d+\.\d+\.\d+[-+.]\S+$/;

/**
 * The kernel release in a text that others wrote, when it is one for the architecture; else undefined. Labels are known
 * to hold `true`, nothing, or the error message of a command.
 */
export function findKernelRelease(text: unknown, arch: Arch): KernelRelease | undefined {
  if (typeof text !== 'string' || !FORM.test(text) || !saysArch(text, arch)) return undefined;
  try {
    return parseKernelRelease(text);
  } catch (error) {
    if (error instanceof SpecError) return undefined;
    throw error;
  }
}

/** The text with `.<arch>` at its end, unless it says an architecture already: old driver-toolkits leave it out. */
export function withArch(text: string, arch: Arch): string {
  return ARCHES.some((known) => saysArch(text, known)) ? text : `${text}.${arch}`;
}

/** The kernel release without the mark of its flavour: what a real-time kernel of the same source shares. */
export function withoutFlavour(kernel: string): string {
  return kernel.replace(/\+[A-Za-z0-9]+$/, '');
}

/** RPM ends a release in `.x86_64`, Debian in `-amd64`; a flavour may follow. */
function saysArch(text: string, arch: Arch): boolean {
  const plain = withoutFlavour(text);
  return plain.endsWith(`.${arch}`) || plain.endsWith(`-${arch}`) || plain.endsWith(`-${goArchOf(arch)}`);
}
