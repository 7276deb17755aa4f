import { ResolveError } from './errors.ts';
import type { Io } from './io.ts';
import { ARCHES } from './oci/arch.ts';
import { formatReference } from './oci/reference.ts';
import { type ExcludedRelease, reasonAgainstKernel, reasonAgainstVersion } from './resolve/exclusions.ts';
import { type NamedRelease, releaseJobs } from './resolve/release-jobs.ts';
import { resolveMany } from './resolve/resolve-many.ts';
import type { Target } from './resolve/target.ts';
import type { OpenShiftVersion } from './spec/openshift-version.ts';
import { compareVersions, isInRange, type ReleaseRange } from './spec/release-range.ts';
import {
  type DriverSet,
  type GraphLocation,
  pathFrom,
  referenceFrom,
  type ReleaseRequest,
} from './spec/spec.ts';

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
  /** Resolves the releases of this range alone. */
  readonly within?: ReleaseRange | undefined;
  /** What the releases came to before: then nothing is looked up. */
  readonly lock?: Pick<ResolvedSet, 'targets' | 'excluded'> | undefined;
}

/** What the releases of a set came to. */
export interface ResolvedSet {
  /** By version, architecture and stream, each once, with every kernel that they offer. */
  readonly targets: readonly Target[];
  /** Releases that failed; only ever not empty with `keepGoing`. */
  readonly failures: readonly Failure[];
  /** Releases that the rules of the spec leave out. */
  readonly excluded: readonly ExcludedRelease[];
}

/**
 * Resolves the releases of a set, several at a time.
 *
 * @throws {KmodError} the first failure, unless the others are to be resolved all the same.
 */
export async function resolveSet(
  set: Pick<DriverSet, 'file' | 'targets'>,
  { keepGoing = false, lock, within }: ResolveSetOptions,
  io: Io,
): Promise<ResolvedSet> {
  if (lock !== undefined) return { targets: lock.targets, excluded: lock.excluded, failures: [] };
  const { targets: selection, file } = set;
  const { arches, streams, releaseRepository, releases } = selection;
  const isWithin = (version: OpenShiftVersion): boolean => within === undefined || isInRange(version, within);
  const found = await releaseJobs(
    {
      releases: releases.map((release) => named(release, file)),
      arches,
      releaseRepository,
      graph: graphFrom(file, selection.graph),
      rules: selection,
    },
    io,
  );
  const jobs = found.jobs.filter(({ version }) => version === undefined || isWithin(version));
  const outcomes = await resolveMany(jobs, { streams, releaseRepository }, io);
  const failures = outcomes.flatMap((outcome): Failure[] =>
    'error' in outcome ? [{ what: outcome.job.what, error: outcome.error }] : [],
  );
  if (failures[0] !== undefined && (!keepGoing || io.signal.aborted)) throw failures[0].error;

  const excluded = new Map(
    found.excluded.filter(({ version }) => isWithin(version)).map((release) => [release.version, release]),
  );
  const targets = outcomes
    .flatMap((outcome) => ('error' in outcome ? [] : outcome.targets))
    .filter(({ release }) => isWithin(release.version))
    .filter(({ release: { version }, osImage }) => {
      const because =
        reasonAgainstVersion(version, selection) ?? reasonAgainstKernel(osImage.kernel, selection);
      if (because !== undefined) excluded.set(version, { version, because });
      return because === undefined;
    });
  if (targets.length === 0 && failures.length === 0 && within === undefined)
    throw nothingLeft([...excluded.values()]);
  return {
    targets: sorted(onceEach(targets)),
    failures,
    excluded: [...excluded.values()].sort((a, b) => compareVersions(a.version, b.version)),
  };
}

/** Targets in their one order, whatever order the spec or a graph names releases in. */
export function sorted(targets: readonly Target[]): readonly Target[] {
  return [...targets].sort(
    (a, b) =>
      compareVersions(a.release.version, b.release.version) ||
      ARCHES.indexOf(a.arch) - ARCHES.indexOf(b.arch) ||
      a.stream.localeCompare(b.stream, 'en', { numeric: true }) ||
      (a.release.digest < b.release.digest ? -1 : Number(a.release.digest > b.release.digest)),
  );
}

/** A release may be named twice, by its version and by its image: its targets are built once. */
function onceEach(targets: readonly Target[]): readonly Target[] {
  const keyOf = ({ release, arch, stream }: Target): string => `${release.digest} ${arch} ${stream}`;
  return [...new Map(targets.map((target) => [keyOf(target), target])).values()];
}

function named(release: ReleaseRequest, file: string): NamedRelease {
  switch (release.type) {
    case 'version':
      return { type: 'name', name: release.version, version: release.version };
    case 'range':
      return release;
    case 'image':
      return { type: 'name', name: formatReference(referenceFrom(file, release.reference)) };
  }
}

/** Where the update graph of a spec is, for the command that runs. */
function graphFrom(file: string, graph: GraphLocation | undefined): GraphLocation | undefined {
  return graph?.type === 'file' ? { ...graph, path: pathFrom(file, graph.path) } : graph;
}

function nothingLeft(excluded: readonly ExcludedRelease[]): ResolveError {
  const shown = excluded.slice(0, 5).map(({ version, because }) => `${version} (${because})`);
  const more = excluded.length > shown.length ? ` and ${excluded.length - shown.length} more` : '';
  return new ResolveError(
    'RANGE_EMPTY',
    `Cannot build for any release: the spec leaves out ${shown.join(', ')}${more}`,
    { hint: 'See "exclude" and "ceiling" under "targets".' },
  );
}
