import pLimit from 'p-limit';
import type { Io } from './io.ts';
import { formatReference } from './oci/reference.ts';
import { resolve } from './resolve/resolve.ts';
import type { Target } from './resolve/target.ts';
import { type DriverSet, referenceFrom, type ReleaseRequest } from './spec/spec.ts';

/** Releases that are resolved at a time. */
const RELEASES_AT_ONCE = 4;

/** What could not be done, and why. */
export interface Failure {
  /** A release, or a target in a few words. */
  readonly what: string;
  readonly error: unknown;
}

/** How releases are resolved. */
export interface ResolveSetOptions {
  /** Goes on with the other releases after one failed. */
  readonly keepGoing?: boolean;
}

/** What the releases of a set came to. */
export interface ResolvedSet {
  /** In the order of the spec, each once, with every kernel that they offer. */
  readonly targets: readonly Target[];
  /** Releases that failed; only ever not empty with `keepGoing`. */
  readonly failures: readonly Failure[];
}

/**
 * Resolves the releases of a set, several at a time.
 *
 * @throws {KmodError} the first failure, unless the others are to be resolved all the same.
 */
export async function resolveSet(
  set: DriverSet,
  { keepGoing = false }: ResolveSetOptions,
  io: Io,
): Promise<ResolvedSet> {
  const { releases, arches, streams, releaseRepository } = set.targets;
  const limit = pLimit(RELEASES_AT_ONCE);
  const names = releases.map((release) => nameOf(release, set.file));
  const results = await Promise.allSettled(
    names.map((release) => limit(() => resolve({ release, arches, streams, releaseRepository }, io))),
  );
  const failures = results.flatMap((result, at): Failure[] =>
    result.status === 'rejected' ? [{ what: names[at] ?? '', error: result.reason }] : [],
  );
  if (failures[0] !== undefined && (!keepGoing || io.signal.aborted)) throw failures[0].error;
  const targets = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  return { targets: onceEach(targets.filter(({ release }) => !isExcluded(set, release.version))), failures };
}

function isExcluded({ targets }: Pick<DriverSet, 'targets'>, version: string): boolean {
  return targets.exclude.some(({ release }) => release === version);
}

/** A release may be named twice, by its version and by its image: its targets are built once. */
function onceEach(targets: readonly Target[]): readonly Target[] {
  const keyOf = ({ release, arch, stream }: Target): string => `${release.digest} ${arch} ${stream}`;
  return [...new Map(targets.map((target) => [keyOf(target), target])).values()];
}

function nameOf(release: ReleaseRequest, file: string): string {
  return release.type === 'version'
    ? release.version
    : formatReference(referenceFrom(file, release.reference));
}
