const TRIALS = process.env['DEPMOD_TRIALS'];

/**
 * Random trees that are tried against real depmod: `DEPMOD_TRIALS`, thousands for a long run.
 *
 * @returns 240 when nothing is said.
 */
export function depmodTrials(): number {
  return Number(TRIALS ?? 240);
}

/**
 * Where random trees start: `DEPMOD_SEED` repeats a run. A long run starts anywhere; the usual one always at the same
 * place, since what it says must be about the change that is tried.
 */
export function depmodSeed(): number {
  return SEED;
}

const SEED = Number(
  process.env['DEPMOD_SEED'] ?? (TRIALS === undefined ? 20_261_121 : Date.now() % 1_000_000),
);
