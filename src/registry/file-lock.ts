import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from '../errors.ts';
import { fileErrorCode } from './atomic-file.ts';
import { isAlive, type LockOwner, parseOwner, thisProcess } from './lock-owner.ts';

/** What is locked is done in milliseconds: a lock this old, of a machine that cannot be asked, was left behind. */
const STALE_MS = 10_000;
const GIVE_UP_MS = 60_000;

/** Waiters of this process, by lock file, so that they queue up instead of polling. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `use` while no other writer, in this process or another one, runs under the same lock file. The file says which
 * process holds it: one that a dead process of this machine left is taken over at once, that of another machine after
 * 10 seconds, and by one waiter only.
 *
 * @throws {RegistryError} `LAYOUT_INVALID` when the lock could not be had for a minute.
 */
export async function withFileLock<T>(lockFile: string, use: () => Promise<T>): Promise<T> {
  const before = queues.get(lockFile);
  const mine = (async () => {
    await before?.catch(() => undefined);
    const nonce = await acquire(lockFile);
    try {
      return await use();
    } finally {
      await release(lockFile, nonce);
    }
  })();
  queues.set(lockFile, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(lockFile) === mine) queues.delete(lockFile);
  }
}

/** Returns what tells this lock from every other one. */
async function acquire(lockFile: string): Promise<string> {
  const startedAt = Date.now();
  const nonce = randomBytes(12).toString('hex');
  const content = JSON.stringify({ ...(await thisProcess()), nonce } satisfies LockOwner);
  while (!(await create(lockFile, content))) {
    await removeIfStale(lockFile, content);
    if (Date.now() - startedAt > GIVE_UP_MS) {
      throw new RegistryError('LAYOUT_INVALID', `Cannot lock ${lockFile}: another process holds it`, {
        hint: `Remove it, and ${guardOf(lockFile)}, if no other build is running.`,
      });
    }
    await sleep(20 + Math.random() * 30);
  }
  return nonce;
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (fileErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** A lock that somebody took over, because this process slept for too long, is theirs. */
async function release(lockFile: string, nonce: string): Promise<void> {
  const held = await readLock(lockFile);
  if (held?.owner?.nonce === nonce) await rm(lockFile, { force: true });
}

/**
 * Two waiters may find the same lock stale: the second must not remove what the first one has locked by then. So the
 * removal has a guard, under which the lock is looked at again. A guard is never removed by others: it is held for two
 * operations on files, and a wait that ends with an error is better than a lost entry.
 */
async function removeIfStale(lockFile: string, content: string): Promise<void> {
  if (!(await isStale(lockFile))) return;
  const guard = guardOf(lockFile);
  if (!(await create(guard, content))) return;
  try {
    if (await isStale(lockFile)) await rm(lockFile, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

function guardOf(lockFile: string): string {
  return `${lockFile}.stale`;
}

async function isStale(lockFile: string): Promise<boolean> {
  const held = await readLock(lockFile);
  if (held === undefined) return false;
  const alive = held.owner === undefined ? undefined : await isAlive(held.owner);
  // Without an owner: it was made this very moment, or by a process that died before it could write.
  return alive === undefined ? Date.now() - held.mtimeMs > STALE_MS : !alive;
}

async function readLock(
  lockFile: string,
): Promise<{ readonly owner: LockOwner | undefined; readonly mtimeMs: number } | undefined> {
  try {
    const { mtimeMs } = await stat(lockFile);
    return { owner: parseOwner(await readFile(lockFile, 'utf8')), mtimeMs };
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
