import { PartialFailure, SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { Failure } from '../src/resolve-set.ts';

/** @throws {SpecError} `USAGE` when there is nothing to do. */
export function requireTargets(count: number): void {
  if (count > 0) return;
  throw new SpecError('USAGE', 'Cannot build: --only leaves no target', {
    hint: 'See what there is with --dry-run and without --only.',
  });
}

/**
 * With nothing done, the first failure decides how the command ends; the others are still said.
 *
 * @throws {KmodError} {PartialFailure}
 */
export function throwFailures(
  failures: readonly Failure[],
  { doneCount, targetCount }: { readonly doneCount: number; readonly targetCount: number },
  { report }: Pick<Io, 'report'>,
): void {
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (doneCount > 0) {
    throw new PartialFailure(
      `Cannot finish ${targetCount - doneCount} of ${targetCount} targets`,
      failures.map(({ error }) => error),
    );
  }
  for (const { what, error } of others) {
    report({
      type: 'warning',
      message: `${what}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  throw first.error;
}
