import { readFileSync } from 'node:fs';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { type KernelFacts, type KernelFiles, makeKernelFacts } from '../../src/verify/kernel-facts.ts';

/** The kernel that `fixtures/modules` were built for. */
export const RELEASE = parseKernelRelease('6.1.0-56-amd64');

/** Reads a file of `fixtures/kernel`. */
export function readKernelFixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/kernel/${name}`, import.meta.url));
}

/** Files of that kernel, those that are named in other words or left out. */
export function kernelFiles(changes: Partial<KernelFiles> = {}): KernelFiles {
  return {
    release: RELEASE,
    arch: 'x86_64',
    symvers: readKernelFixture('symvers'),
    modules: [readKernelFixture('crc7.ko')],
    builtins: readKernelFixture('modules.builtin'),
    config: readKernelFixture('config'),
    ...changes,
  };
}

/** Facts of that kernel, with its modules' symvers joined by rows of others. */
export function kernelFacts(changes: Partial<KernelFiles> = {}): KernelFacts {
  return makeKernelFacts(kernelFiles(changes));
}
