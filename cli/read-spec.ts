import { resolve } from 'node:path';
import type { Io } from '../src/io.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { parseGraphLocation } from '../src/spec/values.ts';
import type { CliContext } from './context.ts';
import { readInput } from './io/read-input.ts';

/**
 * Reads the spec that a command names. Relative paths start where the spec is, so its own path is made absolute;
 * messages keep the name that was given. An update graph of the command line takes the place of the spec's.
 *
 * @throws {SpecError}
 */
export async function readSpec(
  { file, graph }: { readonly file: string; readonly graph?: string },
  { files }: Pick<Io, 'files'>,
  { cwd }: Pick<CliContext, 'cwd'>,
): Promise<DriverSet> {
  const set = parseSpec(Buffer.from(await readInput(files, file)).toString('utf8'), file);
  const absolute = { ...set, file: resolve(cwd, file) };
  if (graph === undefined) return absolute;
  const location = parseGraphLocation(graph);
  const found = location.type === 'file' ? { ...location, path: resolve(cwd, location.path) } : location;
  return { ...absolute, targets: { ...set.targets, graph: found } };
}
