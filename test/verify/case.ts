import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import type { KernelFacts } from '../../src/verify/kernel-facts.ts';
import { kernelFacts } from './kernel.ts';
import { type MadeModule, VERMAGIC } from './make-module.ts';

/** A module with one thing that is wrong, or that looks so, and what the report says of it. */
export interface Case {
  readonly what: string;
  readonly made: MadeModule;
  /** Checks that do not pass, in their order, without the one about the missing signature. */
  readonly expected: readonly string[];
  /** The kernel of `fixtures/kernel` when absent. */
  readonly kernel?: KernelFacts;
}

export const KERNEL = kernelFacts();

/** A kernel with other options. */
export function withConfig(kernel: KernelFacts, options: Readonly<Record<string, string>>): KernelFacts {
  return { ...kernel, config: new Map([...(kernel.config ?? []), ...Object.entries(options)]) };
}

/** The same kernel under another version, as far as the rules of versions go. */
export function asVersion(release: string, kernel = KERNEL): KernelFacts {
  return {
    ...kernel,
    release: parseKernelRelease(release),
    vermagic: VERMAGIC.replace('6.1.0-56-amd64', release),
  };
}

/** Refuses what cannot be checked, as kernels of RHEL do. */
export const WITHOUT_FORCE = withConfig(KERNEL, { CONFIG_MODULE_FORCE_LOAD: 'n' });
