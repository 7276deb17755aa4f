import { dirname, resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { requireLockOf, requireSources } from '../src/lock-set.ts';
import type { Lock } from '../src/plan/lock.ts';
import { parseLock } from '../src/plan/read-lock.ts';
import type { DriverSet } from '../src/spec/spec.ts';
import type { CliContext } from './context.ts';
import type { ReleaseTrustFlags } from './flags.ts';
import { readInput } from './io/read-input.ts';

/** Flags of commands that use a lock file when there is one. */
export interface UseLockFlags extends ReleaseTrustFlags {
  readonly lockFile?: string;
  /** False for `--no-lock`. */
  readonly lock?: boolean;
}

/** Absolute path of the lock file of a spec: beside it, unless the user says otherwise. */
export function lockFileOf(
  specFile: string,
  { lockFile }: Pick<UseLockFlags, 'lockFile'>,
  { cwd }: Pick<CliContext, 'cwd'>,
): string {
  return lockFile === undefined
    ? `${specFile.replace(/\.(?:ya?ml|json)$/i, '')}.lock.yaml`
    : resolve(cwd, lockFile);
}

/**
 * The lock that a build of a set goes by; undefined when there is none, or `--no-lock` says to look everything up.
 *
 * @throws {SpecError} `LOCK_INVALID`, `LOCK_OUTDATED` for the lock of another set, `SPEC_UNREADABLE` for a file that was
 *   named and is not there; `USAGE` when signatures of releases are asked for; {CompileError} `SOURCE_CHANGED`.
 */
export async function findLock(
  set: DriverSet,
  flags: UseLockFlags,
  io: Io,
  context: CliContext,
): Promise<Lock | undefined> {
  if (flags.lock === false) return undefined;
  const file = lockFileOf(set.file, flags, context);
  const lock = flags.lockFile === undefined ? await readLockIfThere(file, io) : await readLock(file, io);
  if (lock === undefined) return undefined;
  requireLockOf(set, lock);
  refuseToVerify(flags);
  await requireSources(set, lock, io);
  return lock;
}

/** A lock pins releases by digest, and does not hold the lists of architectures that are signed. */
function refuseToVerify({
  verifyRelease,
  releaseKeys = [],
  releaseSignatures = [],
}: ReleaseTrustFlags): void {
  if (verifyRelease !== 'require' && releaseKeys.length + releaseSignatures.length === 0) return;
  throw new SpecError('USAGE', 'Cannot verify the signatures of releases that a lock file names', {
    hint: 'They are verified when the file is written: give these flags to "kmodlayer lock", or pass --no-lock.',
  });
}

/** @throws {SpecError} `SPEC_UNREADABLE`, `LOCK_INVALID`. */
export async function readLock(file: string, { files }: Pick<Io, 'files'>): Promise<Lock> {
  const text = Buffer.from(await readInput(files, file)).toString('utf8');
  return parseLock(text, { file, directory: dirname(file) });
}

/** The same; undefined when there is no such file. */
export async function readLockIfThere(file: string, io: Pick<Io, 'files'>): Promise<Lock | undefined> {
  try {
    return await readLock(file, io);
  } catch (error) {
    const cause = error instanceof SpecError ? error.cause : undefined;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw error;
  }
}
