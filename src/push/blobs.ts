import pLimit from 'p-limit';
import { RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/tag.ts';
import type { Repository } from '../registry/repository.ts';

/** A blob, and a repository that has it. */
export interface BlobSource {
  readonly blob: Descriptor;
  readonly from: Repository;
}

interface Transfer {
  readonly to: Repository;
  readonly signal: AbortSignal;
}

/** Requests in flight; registries limit more by address. */
export const REQUESTS_AT_ONCE = 8;
const COPIES = 4;

/**
 * Links blobs of other repositories into the target, and returns those for which that was not possible. Not asking first
 * saves a request for each blob: mounting also succeeds when it is there already. A registry that refuses refuses all.
 */
export async function mountBlobs(
  sources: readonly BlobSource[],
  { to, signal, counts }: Transfer & { readonly counts: { mountedBlobs: number } },
): Promise<readonly BlobSource[]> {
  const missing: BlobSource[] = [];
  await runAll(
    sources.map((source) => async () => {
      const isRefused = missing.length > 0 && counts.mountedBlobs === 0;
      if (!isRefused && (await to.mountBlob(source.blob, source.from))) counts.mountedBlobs++;
      else missing.push(source);
    }),
    { atOnce: REQUESTS_AT_ONCE, signal },
  );
  return missing;
}

/** The blobs that a repository does not have yet. */
export async function withoutThoseIn(
  repository: Repository,
  sources: readonly BlobSource[],
  signal: AbortSignal,
): Promise<readonly BlobSource[]> {
  const there = new Set<Digest>();
  await runAll(
    sources.map(({ blob }) => async () => {
      if (await repository.hasBlob(blob)) there.add(blob.digest);
    }),
    { atOnce: REQUESTS_AT_ONCE, signal },
  );
  return sources.filter(({ blob }) => !there.has(blob.digest));
}

/**
 * Streams blobs from one repository to another: nothing is kept on this machine. How much there is to move is said first.
 *
 * @param what Said in events: what goes where.
 * @returns Bytes that moved.
 */
export async function copyBlobs(
  sources: readonly BlobSource[],
  { to, what, signal, report }: Transfer & Pick<Io, 'report'> & { readonly what: string },
): Promise<number> {
  if (sources.length === 0) return 0;
  const sizeBytes = sources.reduce((sum, { blob }) => sum + blob.sizeBytes, 0);
  report({ type: 'transfer-planned', what, blobs: sources.length, sizeBytes });
  let doneBytes = 0;
  await runAll(
    sources.map(({ blob, from }) => async () => {
      await to.writeBlob(blob, () => from.readBlob(blob, { signal }));
      doneBytes += blob.sizeBytes;
      report({ type: 'transfer-progress', what, doneBytes, sizeBytes });
    }),
    { atOnce: COPIES, signal },
  );
  return sizeBytes;
}

/** What a tag points to now, by the bytes that are there. */
export async function findDigest(repository: Repository, tag: Tag): Promise<Digest | undefined> {
  try {
    return (await repository.getManifest(tag)).digest;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Runs tasks, some at once. After a failure none is begun any more; those that run are waited for, so that nothing goes
 * on in the background after an error was reported; then the first failure is thrown.
 *
 * @param giveUp Aborted at the first failure, for the tasks that run.
 */
export async function runAll(
  tasks: readonly (() => Promise<void>)[],
  {
    atOnce,
    signal,
    giveUp,
  }: { readonly atOnce: number; readonly signal: AbortSignal; readonly giveUp?: AbortController },
): Promise<void> {
  const limit = pLimit(atOnce);
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map((task) =>
      limit(async () => {
        try {
          if (failures.length > 0) return;
          signal.throwIfAborted();
          await task();
        } catch (error) {
          failures.push(error);
          giveUp?.abort(error);
        }
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
