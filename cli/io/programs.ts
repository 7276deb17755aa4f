import type { Io } from '../../src/io.ts';
import type { CliContext } from '../context.ts';
import { makeTemporary } from './temporary.ts';

/** Runs programs with the command's own environment; what does that is loaded with the first one. */
export function makeProgramRunner(context: Pick<CliContext, 'env' | 'cleanups'>): Io['runProgram'] {
  return async (request) => {
    const { makeRunProgram } = await import('../../src/engine/program.ts');
    return makeRunProgram({ env: context.env, withTemporaryDirectory: makeTemporary(context) })(request);
  };
}
