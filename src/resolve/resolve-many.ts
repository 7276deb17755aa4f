import pLimit from 'p-limit';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import type { UpdateFacts } from './graph.ts';
import { limitedImages } from './limited-images.ts';
import type { ResolveIo } from './open-release.ts';
import { resolveSharing, type ResolveRequest } from './resolve.ts';
import { makeShare } from './share.ts';
import type { Target } from './target.ts';

/** A release to resolve, and what an update graph says of it. */
export interface ReleaseJob {
  /** As `resolve` takes it. */
  readonly release: string;
  /** How messages name it. */
  readonly what: string;
  readonly version?: OpenShiftVersion;
  readonly arches?: ResolveRequest['arches'];
  readonly update?: UpdateFacts;
}

/** What came of a job. */
export type JobOutcome =
  | { readonly job: ReleaseJob; readonly targets: readonly Target[] }
  | { readonly job: ReleaseJob; readonly error: unknown };

/** Requests in flight: what registries take from one client without slowing it down. */
const REQUESTS_AT_ONCE = 8;
/** Releases at a time: each waits for one answer to ask for the next thing, so more of them than requests. */
const RELEASES_AT_ONCE = 16;

/**
 * Resolves releases side by side: images that they share are read once, and eight requests are in flight. Says how far
 * it has come. Never throws: what failed is an outcome.
 */
export async function resolveMany(
  jobs: readonly ReleaseJob[],
  options: Omit<ResolveRequest, 'release' | 'arches' | 'version'>,
  io: ResolveIo,
): Promise<readonly JobOutcome[]> {
  const share = makeShare();
  const limit = pLimit(RELEASES_AT_ONCE);
  const limitedIo = { ...io, images: limitedImages(io.images, REQUESTS_AT_ONCE) };
  let done = 0;
  const one = async (job: ReleaseJob): Promise<JobOutcome> => {
    const { release, version, arches, update } = job;
    try {
      io.signal.throwIfAborted();
      const targets = await resolveSharing({ ...options, release, version, arches }, share, limitedIo);
      return {
        job,
        targets: update === undefined ? targets : targets.map((target) => ({ ...target, update })),
      };
    } catch (error) {
      return { job, error };
    } finally {
      done++;
      io.report({ type: 'resolve-progress', done, total: jobs.length });
    }
  };
  return Promise.all(jobs.map((job) => limit(() => one(job))));
}
