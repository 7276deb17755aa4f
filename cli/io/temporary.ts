import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Io } from '../../src/io.ts';
import type { CliContext } from '../context.ts';
import { temporaryRoot } from './directories.ts';

/** Makes temporary directories that only this user can read, and removes each, however the command ends. */
export function makeTemporary(context: Pick<CliContext, 'env' | 'cleanups'>): Io['withTemporaryDirectory'] {
  return async (use) => {
    const directory = await mkdtemp(join(temporaryRoot(context.env), 'kmodlayer-'));
    const cleanUp = (): void => {
      try {
        rmSync(directory, { recursive: true, force: true });
      } catch {
        // The process ends; there is nobody left to tell.
      }
    };
    context.cleanups.add(cleanUp);
    try {
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
      context.cleanups.delete(cleanUp);
    }
  };
}
