/**
 * Random trees that are tried against real depmod: `DEPMOD_TRIALS`, thousands for a long run.
 *
 * @returns 240 when nothing is said.
 */
export function depmodTrials(): number {
  return Number(process.env['DEPMOD_TRIALS'] ?? 240);
}

/** Where random trees start: `DEPMOD_SEED` repeats a run. */
export function depmodSeed(): number {
  return SEED;
}

const SEED = Number(process.env['DEPMOD_SEED'] ?? Date.now() % 1_000_000);
