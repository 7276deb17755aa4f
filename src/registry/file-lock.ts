import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from '../errors.ts';
import { fileErrorCode } from './atomic-file.ts';

/** What is locked is done in milliseconds: a lock this old was left by a process that died. */
const STALE_MS = 10_000;
const GIVE_UP_MS = 60_000;

/** Waiters of this process, by lock file, so that they queue up instead of polling. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `use` while no other writer, in this process or another one, runs under the same lock file. A lock that a dead
 * process left is taken over after 10 seconds.
 *
 * @throws {RegistryError} `LAYOUT_INVALID` when the lock could not be had for a minute.
 */
export async function withFileLock<T>(lockFile: string, use: () => Promise<T>): Promise<T> {
  const before = queues.get(lockFile);
  const mine = (async () => {
    await before?.catch(() => undefined);
    await acquire(lockFile);
    try {
      return await use();
    } finally {
      await rm(lockFile, { force: true });
    }
  })();
  queues.set(lockFile, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(lockFile) === mine) queues.delete(lockFile);
  }
}

async function acquire(lockFile: string): Promise<void> {
  const startedAt = Date.now();
  for (;;) {
    try {
      const file = await open(lockFile, 'wx');
      await file.close();
      return;
    } catch (error) {
      if (fileErrorCode(error) !== 'EEXIST') throw error;
    }
    await removeIfStale(lockFile);
    if (Date.now() - startedAt > GIVE_UP_MS) {
      throw new RegistryError('LAYOUT_INVALID', `Cannot lock ${lockFile}: another process holds it`, {
        hint: 'Remove the file if no other build is running.',
      });
    }
    await sleep(20 + Math.random() * 30);
  }
}

async function removeIfStale(lockFile: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(lockFile);
    if (Date.now() - mtimeMs > STALE_MS) await rm(lockFile, { force: true });
  } catch (error) {
    if (fileErrorCode(error) !== 'ENOENT') throw error;
  }
}
