import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '../../src/registry/file-lock.ts';
import { isAlive, parseOwner, thisProcess } from '../../src/registry/lock-owner.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Waiters that do not know of each other, as those of several processes: each has a name of its own for the file. */
async function countUnderLock(waiters: number): Promise<number> {
  const counter = join(directory, 'counter');
  await writeFile(counter, '0');
  await Promise.all(
    Array.from({ length: waiters }, (_, index) =>
      withFileLock(`${directory}${'/'.repeat(index + 1)}lock`, async () => {
        const count = Number(await readFile(counter, 'utf8'));
        await sleep(2);
        await writeFile(counter, String(count + 1));
      }),
    ),
  );
  return Number(await readFile(counter, 'utf8'));
}

/** A process of this machine that has ended. */
async function deadOwner(): Promise<string> {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  return JSON.stringify({ ...(await thisProcess()), pid, nonce: 'dead' });
}

describe('withFileLock()', () => {
  it('lets one in at a time', async () => {
    expect(await countUnderLock(12)).toBe(12);
    expect(await readdir(directory)).toEqual(['counter']);
  });

  it('takes over the lock of a dead process at once, for one of those that wait', async () => {
    await writeFile(join(directory, 'lock'), await deadOwner());
    const startedAt = Date.now();

    expect(await countUnderLock(12)).toBe(12);
    expect(Date.now() - startedAt).toBeLessThan(5000);
    expect(await readdir(directory)).toEqual(['counter']);
  });

  it('takes over an old lock of another machine', async () => {
    const lock = join(directory, 'lock');
    await writeFile(lock, JSON.stringify({ machine: 'another', pid: 1, startedAt: '5', nonce: 'n' }));
    await utimes(lock, new Date(0), new Date(0));

    expect(await countUnderLock(12)).toBe(12);
  });

  it('leaves the lock of a process that runs, however old it is', async () => {
    const lock = join(directory, 'lock');
    const owner = JSON.stringify({ ...(await thisProcess()), nonce: 'of this test' });
    await writeFile(lock, owner);
    await utimes(lock, new Date(0), new Date(0));
    let isDone = false;

    const waiting = withFileLock(lock, () => Promise.resolve((isDone = true)));
    await sleep(150);
    expect(isDone).toBe(false);
    await rm(lock);
    await waiting;

    expect(isDone).toBe(true);
  });

  it('does not remove a lock that another has taken over', async () => {
    const lock = join(directory, 'lock');
    const other = JSON.stringify({ ...(await thisProcess()), nonce: 'another' });

    await withFileLock(lock, () => writeFile(lock, other));

    expect(await readFile(lock, 'utf8')).toBe(other);
  });
});

describe('isAlive()', () => {
  it('tells a process from one that had its pid before', async () => {
    const owner = { ...(await thisProcess()), nonce: '' };

    expect(await isAlive(owner)).toBe(true);
    expect(await isAlive({ ...owner, startedAt: '1' })).toBe(false);
    expect(await isAlive({ ...owner, machine: 'another' })).toBe(undefined);
  });
});

describe('parseOwner()', () => {
  it.each([
    '',
    'null',
    '[]',
    '{"machine":"m","pid":-1,"startedAt":"","nonce":""}',
    '{"machine":"m","pid":"1"}',
  ])('takes %j for no owner', (text) => {
    expect(parseOwner(text)).toBe(undefined);
  });
});
