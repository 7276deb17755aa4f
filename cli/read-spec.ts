import { resolve } from 'node:path';
import type { Io } from '../src/io.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import type { CliContext } from './context.ts';
import { readInput } from './io/read-input.ts';

/**
 * Reads the spec that the user named. Relative paths start where it is, so its own path is made absolute; messages keep
 * the name that was given.
 *
 * @throws {SpecError} as `parseSpec` does.
 */
export async function readSpec(file: string, io: Pick<Io, 'files'>, context: CliContext): Promise<DriverSet> {
  const bytes = await readInput(io.files, file);
  const set = parseSpec(Buffer.from(bytes).toString('utf8'), file);
  return { ...set, file: resolve(context.cwd, file) };
}
