import type { Failure } from '../src/resolve-set.ts';
import { ModuleError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { TargetReport, VerifyReport } from '../src/verify/report.ts';
import type { CliContext } from './context.ts';
import { writeProofFiles } from './report/proof-files.ts';

/** The proofs of a build, as they come. */
export interface BuildProofs {
  readonly add: (proof: TargetReport, target: string) => void;
  /** Writes what there is when the build is done; targets that failed before they were proven are named. */
  readonly write: (failures: readonly Failure[]) => Promise<void>;
  /** Writes what there is when the build ended early. @throws the error given, whatever becomes of the files. */
  readonly writeAndThrow: (error: unknown) => Promise<never>;
}

/** @param files Where `--report` wants them; none when absent. */
export function collectProofs(files: readonly string[] = [], context: CliContext, io: Io): BuildProofs {
  const proofs = new Map<string, TargetReport>();
  const write = async (unproven: NonNullable<VerifyReport['unproven']>): Promise<void> => {
    if (files.length === 0 || proofs.size + unproven.length === 0) return;
    const targets = [...proofs.values()];
    const isProven = unproven.length === 0 && targets.every(({ verdict }) => verdict === 'passes');
    const report: VerifyReport = { verdict: isProven ? 'passes' : 'fails', targets, unproven };
    await writeProofFiles(files, report, { verb: 'build', at: io.now(), context });
  };
  return {
    add: (proof, target) => void proofs.set(target, proof),
    write: (failures) =>
      write(
        failures
          .filter(({ what }) => !proofs.has(what))
          .map(({ what, error }) => ({ subject: what, message: messageOf(error) })),
      ),
    async writeAndThrow(error) {
      const isProof = error instanceof ModuleError && error.code === 'WOULD_NOT_LOAD';
      const unproven =
        isProof || proofs.size === 0 ? [] : [{ subject: 'another target', message: messageOf(error) }];
      await write(unproven).catch((failure: unknown) => {
        io.report({ type: 'warning', message: messageOf(failure) });
      });
      throw error;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
