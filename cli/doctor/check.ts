import type { CliContext } from '../context.ts';
import type { ImageFlags } from '../flags.ts';

/** What one look at the machine found. */
export interface CheckResult {
  readonly name: string;
  /** `warning`: some commands will not work, or not well; `error`: something is broken. */
  readonly status: 'ok' | 'warning' | 'error';
  readonly detail: string;
  readonly hint?: string;
}

/** What checks look at. */
export interface CheckOptions {
  readonly context: CliContext;
  readonly flags: ImageFlags;
  /** Registries or repositories for which credentials are looked up. */
  readonly registries: readonly string[];
}

/** A message and hint of an error, as a result. */
export function failed(name: string, error: unknown): CheckResult {
  const hint =
    error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  const detail = error instanceof Error ? error.message : String(error);
  return { name, status: 'error', detail, ...(hint === undefined ? {} : { hint }) };
}
