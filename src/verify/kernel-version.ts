import type { KernelFacts } from './kernel-facts.ts';

/** Version of a kernel as two numbers: `6.12` is `[6, 12]`. */
export type KernelVersion = readonly [major: number, minor: number];

/**
 * Says whether a kernel has what came with a version of Linux. Kernels of RHEL take changes over into the versions that
 * they keep; of them all is held to be true, so that nothing is passed that they might refuse.
 */
export function hasChangeOf(
  { release }: Pick<KernelFacts, 'release'>,
  [major, minor]: KernelVersion,
): boolean {
  if (isRhel({ release })) return true;
  const [, ownMajor = '0', ownMinor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(ownMajor) > major || (Number(ownMajor) === major && Number(ownMinor) >= minor);
}

/** Says whether a kernel is one of RHEL, which changes within a version. */
export function isRhel({ release }: Pick<KernelFacts, 'release'>): boolean {
  return /\.el\d/.test(release);
}

/** Linux 6.4: exactly one of each section that the loader looks for, and a `struct module` of the right size. */
export const STRICT_SECTIONS: KernelVersion = [6, 4];

/** Linux 6.13: the names of symbols must end. */
export const STRICT_NAMES: KernelVersion = [6, 13];

/** Linux 6.14: CRCs in tables of their own, for names of any length. */
export const EXTENDED_VERSIONS: KernelVersion = [6, 14];

/** Linux 6.16: symbols that are exported to some modules only, by their names. */
export const MODULE_NAMESPACES: KernelVersion = [6, 16];

/**
 * What the kernel does with a module that lacks what is needed to check it: with `CONFIG_MODULE_FORCE_LOAD` it loads
 * it and is tainted, else it refuses. It refuses when the configuration is not known.
 *
 * @see linux `kernel/module/main.c`, `try_to_force_load()`
 */
export function forcesLoad({ config }: Pick<KernelFacts, 'config'>): boolean {
  return config?.get('CONFIG_MODULE_FORCE_LOAD') === 'y';
}
