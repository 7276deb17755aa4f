import pLimit, { type LimitFunction } from 'p-limit';
import type { CompiledUnit } from './compile-unit.ts';
import { CompileError } from './errors.ts';
import type { UnitKind, UnitOutcome } from './events.ts';
import type { Io } from './io.ts';
import type { CompileUnit } from './plan/plan.ts';
import type { Failure } from './resolve-set.ts';

export interface UnitRunnerOptions {
  /** Compiles that run at a time. */
  readonly jobs: number;
  /** Images that are layered and pushed at a time. */
  readonly images: number;
  /** Begins further units after one failed. */
  readonly keepGoing: boolean;
}

/** Runs units of a plan side by side, each as soon as what it needs is there. */
export interface UnitRunner {
  /**
   * Runs all units of a kind, and gives what came of those that were done, in their order. Units that fail, or are not
   * begun, are kept for `summary`. A compiled driver is forgotten when the last unit that needs it has ended, so kinds
   * that share some are begun together.
   *
   * @param work What each unit does; `turns` is what it asks for compiled drivers and for its turn.
   */
  readonly run: <U extends RunnableUnit, T extends UnitResult>(
    kind: UnitKind,
    units: readonly U[],
    work: (unit: U, turns: UnitTurns) => Promise<T>,
  ) => Promise<readonly T[]>;
  /**
   * What did not come to its end, once every `run` has.
   *
   * @throws the reason of the signal when it was aborted.
   */
  readonly summary: () => UnitSummary;
}

/** What needs compiled drivers. */
export interface RunnableUnit {
  readonly id: string;
  readonly compiles: readonly CompileUnit[];
}

/** What a unit gives. */
export interface UnitResult {
  /** It was done before: the same inputs have the same result, and nothing was changed. */
  readonly wasThere: boolean;
}

export interface UnitTurns {
  /** Drivers as they are compiled: each unit once, whoever asks first, and in the order asked for. */
  readonly compiled: (units: readonly CompileUnit[]) => Promise<readonly CompiledUnit[]>;
  /** Waits for a turn among the images that are read, before anything is compiled for one. */
  readonly read: <T>(work: () => Promise<T>) => Promise<T>;
  /** Waits for a turn among the images that are made. What runs in it is the unit's own time. */
  readonly make: <T>(work: () => Promise<T>) => Promise<T>;
}

/** A unit that failed. */
export interface UnitFailure extends Failure {
  readonly kind: UnitKind;
}

/** What is known of a compile when its modules are in images: those of a hundred kernels would fill the memory. */
export type CompileRecord = Pick<CompiledUnit, 'unit' | 'source' | 'madeFor' | 'logFile' | 'wasThere' | 'ms'>;

export interface UnitSummary {
  readonly compiled: readonly CompileRecord[];
  /** Compiles first, then what failed without them or because of them. */
  readonly failures: readonly UnitFailure[];
  /** Units that were not begun, because another one had failed. */
  readonly notBegun: readonly string[];
}

/** Images whose manifests are read at a time, before they are worked on. */
const READS_AT_ONCE = 8;

/** Not a failure of the unit: another one had failed before it could begin. */
class NotBegun extends Error {}

/**
 * @param compileUnit Compiles one unit, when those that it needs are there.
 * @param io Its `signal` ends everything: `run` then waits for what runs, and `summary` throws its reason.
 */
export function makeUnitRunner(
  { jobs, images, keepGoing }: UnitRunnerOptions,
  compileUnit: (unit: CompileUnit, needed: readonly CompiledUnit[]) => Promise<CompiledUnit>,
  io: Pick<Io, 'report' | 'now' | 'signal'>,
): UnitRunner {
  const limits = { compile: pLimit(jobs), read: pLimit(READS_AT_ONCE), make: pLimit(images) };
  // Not by name: kernels of two architectures may have one.
  const compiles = new Map<CompileUnit, Promise<CompiledUnit>>();
  /** How many units that have not ended need a compile. */
  const users = new Map<CompileUnit, number>();
  const compiled: CompileRecord[] = [];
  const failures: { compile: UnitFailure[]; other: UnitFailure[] } = { compile: [], other: [] };
  const notBegun: string[] = [];

  let hasFailed = false;

  const inTurn = async <T>(limit: LimitFunction, work: () => Promise<T>): Promise<T> =>
    limit(async () => {
      io.signal.throwIfAborted();
      if (hasFailed && !keepGoing) throw new NotBegun();
      try {
        return await work();
      } catch (error) {
        // Said before the turn ends, which is when the next one begins.
        hasFailed = true;
        throw error;
      }
    });

  /** Reports how a unit ends, whichever way that is. */
  const watch = async <T extends UnitResult>(
    { id, kind }: { readonly id: string; readonly kind: UnitKind },
    work: (begin: () => void) => Promise<T>,
  ): Promise<T> => {
    let startedAt: number | undefined;
    const begin = (): void => {
      startedAt = io.now().getTime();
      io.report({ type: 'unit-started', unit: id, kind });
    };
    const finish = (end: { readonly outcome: UnitOutcome; readonly why?: string }): void => {
      const ms = startedAt === undefined ? 0 : io.now().getTime() - startedAt;
      io.report({ type: 'unit-finished', unit: id, kind, ms, ...end });
    };
    try {
      const result = await work(begin);
      finish({ outcome: result.wasThere ? 'kept' : 'done' });
      return result;
    } catch (error) {
      if (io.signal.aborted) throw error;
      if (error instanceof NotBegun) {
        notBegun.push(id);
        finish({ outcome: 'not-begun' });
        throw error;
      }
      failures[kind === 'compile' ? 'compile' : 'other'].push({ what: id, kind, error });
      const isBlocked = error instanceof CompileError && error.code === 'DEPENDENCY_FAILED';
      const why = error instanceof Error ? error.message : String(error);
      finish({ outcome: isBlocked ? 'blocked' : 'failed', why });
      throw error;
    }
  };

  const compileOnce = (unit: CompileUnit): Promise<CompiledUnit> => {
    const running =
      compiles.get(unit) ??
      watch({ id: unit.id, kind: 'compile' }, async (begin) => {
        // Before it asks for a turn of its own: waiting in one could be for ever.
        const needed = await compileAll(unit.id, unit.needs);
        return inTurn(limits.compile, async () => {
          begin();
          const result = await compileUnit(unit, needed);
          const { source, madeFor, logFile, wasThere, ms } = result;
          compiled.push({ unit, source, madeFor, logFile, wasThere, ms });
          return result;
        });
      });
    compiles.set(unit, running);
    return running;
  };

  const compileAll = async (id: string, units: readonly CompileUnit[]): Promise<readonly CompiledUnit[]> => {
    const results = await Promise.allSettled(units.map(compileOnce));
    io.signal.throwIfAborted();
    const failed = units.filter((_, at) => isFailure(results[at]));
    if (failed.length > 0) throw blockedBy(id, failed);
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  };

  const hold = (units: readonly CompileUnit[]): void => {
    for (const unit of units) {
      const count = users.get(unit) ?? 0;
      users.set(unit, count + 1);
      if (count === 0) hold(unit.needs);
    }
  };

  const release = (units: readonly CompileUnit[]): void => {
    for (const unit of units) {
      const count = (users.get(unit) ?? 0) - 1;
      users.set(unit, count);
      if (count > 0) continue;
      users.delete(unit);
      compiles.delete(unit);
      release(unit.needs);
    }
  };

  return {
    async run(kind, units, work) {
      units.forEach((unit) => {
        hold(unit.compiles);
      });
      const results = await Promise.allSettled(
        units.map((unit) =>
          watch({ id: unit.id, kind }, (begin) =>
            work(unit, {
              compiled: (needed) => compileAll(unit.id, needed),
              read: (read) => inTurn(limits.read, read),
              make: (make) =>
                inTurn(limits.make, () => {
                  begin();
                  return make();
                }),
            }),
          ).finally(() => {
            release(unit.compiles);
          }),
        ),
      );
      return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    },
    summary() {
      io.signal.throwIfAborted();
      return { compiled, failures: [...failures.compile, ...failures.other], notBegun };
    },
  };
}

function isFailure(result: PromiseSettledResult<unknown> | undefined): boolean {
  return result?.status === 'rejected' && !(result.reason instanceof NotBegun);
}

function blockedBy(id: string, units: readonly CompileUnit[]): CompileError {
  const names = units.map((unit) => unit.id).join(', ');
  return new CompileError('DEPENDENCY_FAILED', `Cannot make ${id}: it needs ${names}, which failed`);
}
