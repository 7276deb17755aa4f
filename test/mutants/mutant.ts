import type { CheckId } from '../../src/verify/report.ts';
import type { ModuleEditor } from './module-editor.ts';
import type { MutantKeys } from './mutant-keys.ts';

/** Modules of `source/`, and one that the kernel was built with: BTF and a signature of the kernel's own come with it. */
export type SourceModule =
  'mu_provider' | 'mu_secret' | 'mu_driver' | 'mu_leaf' | 'mu_inherits' | 'mu_mixed' | 'dummy';

/**
 * What kernels do with a mutant. `accepted`: its init() was run; `refused-when-enforced`: only without a rule that
 * modules must be signed; `crashes`: it was accepted, and the kernel did not survive that unharmed.
 */
export type Behaviour = 'accepted' | 'refused' | 'refused-when-enforced' | 'crashes';

/** Series of kernels whose checks are not the same. */
export type Series = '6.1' | '6.12';

/** A module that was broken, or changed in a way that must do no harm, and what kernels make of it. */
export interface Mutant {
  /** Also its file name. */
  readonly id: string;
  readonly check: CheckId;
  readonly of: SourceModule;
  readonly change: string;
  /** Undefined when it is for the kernel to say. */
  readonly kernel: Behaviour | undefined;
  /** Where kernels differ. */
  readonly kernelOf?: Partial<Record<Series, Behaviour>>;
  readonly edit?: (module: ModuleEditor) => void;
  /** What is done last, after the edit; the default is to sign with the key that the kernel trusts. */
  readonly seal?: (bytes: Buffer, keys: MutantKeys) => Promise<Buffer>;
  /** Given to insmod. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** File name, where it is not that of the module. */
  readonly fileName?: string;
}

/** Leaves the module without a signature. */
export function unsigned(bytes: Buffer): Promise<Buffer> {
  return Promise.resolve(bytes);
}
