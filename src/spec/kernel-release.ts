import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** What `uname -r` prints, for instance `5.14.0-427.50.1.el9_4.x86_64+rt`. */
export type KernelRelease = Brand<string, 'KernelRelease'>;

/** The kernel builds that a release offers. */
export type KernelFlavour = 'default' | 'rt' | '64k';

const KERNEL_RELEASE = /^[0-9]+\.[0-9]+[A-Za-z0-9._+~-]*$/;

/**
 * Reads a kernel release. It becomes a directory name and a build argument, so anything but letters, digits and
 * `. _ + ~ -` is refused.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseKernelRelease(text: string): KernelRelease {
  const release = findKernelRelease(text);
  if (release === undefined) {
    throw new SpecError('VALUE_INVALID', `Cannot use kernel release ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Write what "uname -r" prints on the node, for instance 5.14.0-427.50.1.el9_4.x86_64.',
    });
  }
  return release;
}

/** The same; undefined for anything else. */
export function findKernelRelease(text: string): KernelRelease | undefined {
  const isRelease = text.length <= 200 && KERNEL_RELEASE.test(text) && !text.includes('..');
  return isRelease ? (text as KernelRelease) : undefined;
}
