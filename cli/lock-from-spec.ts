import { dirname, relative } from 'node:path';
import { KmodError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { checkLock, compareLocks, makeLock, updateLock } from '../src/lock-set.ts';
import { type Lock, lockIdentity } from '../src/plan/lock.ts';
import { formatLock } from '../src/plan/lockfile.ts';
import { parseReleaseRange } from '../src/spec/release-range.ts';
import type { DriverSet } from '../src/spec/spec.ts';
import type { LockFlags } from './commands/lock.ts';
import type { CliContext } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { writeOutput } from './io/write-output.ts';
import { lockFileOf, readLock, readLockIfThere } from './lock-file.ts';
import { makeIo } from './make-io.ts';
import { readSpec } from './read-spec.ts';
import { changeText, lockData, lockText } from './report/lock-text.ts';
import { printResult } from './report/output.ts';

/**
 * Writes the lock file of a spec, moves a part of it, or says what has moved.
 *
 * @throws {KmodError} as `makeLock`, `updateLock` and `checkLock` do; `CheckFailed` when `--check` found something.
 */
export async function lockFromSpec(flags: LockFlags, context: CliContext): Promise<void> {
  const io = await makeIo(context, flags);
  const set = await readSpec(flags, io, context);
  const file = lockFileOf(set.file, flags, context);
  const name = relative(context.cwd, file) || file;
  if (flags.check === true) {
    const lock = await readLock(file, io);
    const changes = await checkLock(set, lock, io);
    await printResult(context, flags.output, {
      verb: 'lock',
      data: { file: name, isCurrent: changes.length === 0, changes, ...lockData(lock) },
      text: () => (changes.length === 0 ? `${name}: nothing has moved\n` : changes.map(changeText).join('')),
    });
    if (changes.length > 0) throw new CheckFailed(`${changes.length} things have moved`);
    return;
  }

  const { lock, before } = await renewed(set, file, flags, io);
  const changes = before === undefined ? [] : compareLocks(before, lock);
  const text = formatLock(lock, dirname(file));
  const isNew = Buffer.from(text).compare(await currentBytes(file, io)) !== 0;
  if (isNew) await writeOutput(file, Buffer.from(text));
  await printResult(context, flags.output, {
    verb: 'lock',
    data: { file: name, wasThere: !isNew, changes, ...lockData(lock) },
    text: () => lockText(name, lock, { changes, wasThere: !isNew }),
  });
}

/** The new lock and, to compare with, the one that stands there when it is of the same spec. */
async function renewed(
  set: DriverSet,
  file: string,
  { update }: LockFlags,
  io: Io,
): Promise<{ readonly lock: Lock; readonly before: Lock | undefined }> {
  if (update !== undefined) {
    const range = parseReleaseRange(update);
    const before = await readLock(file, io);
    return { lock: await updateLock(set, before, range, io), before };
  }
  const old = await readLockIfThere(file, io).catch((error: unknown) => {
    // What cannot be read any more is written anew: that is what its hint says to do.
    if (error instanceof KmodError && error.code === 'LOCK_INVALID') return undefined;
    throw error;
  });
  const before = old?.spec === lockIdentity(set) ? old : undefined;
  return { lock: await makeLock(set, io), before };
}

async function currentBytes(file: string, { files }: Io): Promise<Uint8Array> {
  return files.read(file).catch(() => new Uint8Array());
}
