import type { Report } from '../events.ts';
import type { Arch } from '../oci/arch.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { GraphLocation, TargetSelection } from '../spec/driver-set.ts';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import type { ReleaseRange } from '../spec/release-range.ts';
import { type ExcludedRelease, reasonAgainstVersion } from './exclusions.ts';
import { type GraphIo, graphReader, PUBLIC_GRAPH } from './graph-reader.ts';
import type { ReleaseJob } from './resolve-many.ts';
import { selectReleases } from './select-releases.ts';

/** A release as `resolve` takes it, or a range of them. */
export type NamedRelease =
  | { readonly type: 'name'; readonly name: string; readonly version?: OpenShiftVersion }
  | { readonly type: 'range'; readonly range: ReleaseRange };

/** Which releases to resolve. */
export interface JobsRequest {
  readonly releases: readonly NamedRelease[];
  /** Undefined: those of each release, and x86_64 for ranges and versions. */
  readonly arches: readonly Arch[] | undefined;
  readonly releaseRepository: Reference | undefined;
  /** Undefined: the public one. */
  readonly graph: GraphLocation | undefined;
  readonly rules: Pick<TargetSelection, 'exclude' | 'ceilings'>;
}

/** The releases to resolve, and those that rules leave out. */
export interface ReleaseJobs {
  readonly jobs: readonly ReleaseJob[];
  readonly excluded: readonly ExcludedRelease[];
}

/**
 * Turns names and ranges into releases, each once. The graph is only read when there is a range.
 *
 * @throws {ResolveError} `RANGE_EMPTY`, `GRAPH_INVALID`; {RegistryError} when the graph cannot be reached.
 */
export async function releaseJobs(
  { releases, arches, releaseRepository, graph = PUBLIC_GRAPH, rules }: JobsRequest,
  io: GraphIo & { readonly report: Report },
): Promise<ReleaseJobs> {
  const ranges = releases.flatMap((release) => (release.type === 'range' ? [release.range] : []));
  const selected =
    ranges.length === 0
      ? []
      : await selectReleases(
          { ranges, arches: arches ?? ['x86_64'], releaseRepository },
          graphReader(graph, io),
          io.report,
        );
  const known = new Set(selected.map(({ version, arch }) => `${version} ${arch}`));
  const jobs: ReleaseJob[] = selected.map(({ version, arch, payload, update }) => ({
    release: formatReference(payload),
    what: arches === undefined || arches.length === 1 ? version : `${version} ${arch}`,
    version,
    arches: [arch],
    update,
  }));
  for (const release of releases) {
    if (release.type === 'range') continue;
    const { name, version } = release;
    if (version === undefined) {
      jobs.push({ release: name, what: name, arches });
      continue;
    }
    // Those of the others the graph has named by digest already.
    const missing = (arches ?? ['x86_64']).filter((arch) => !known.has(`${version} ${arch}`));
    if (missing.length === 0) continue;
    const isKnown = selected.some((one) => one.version === version);
    const what = isKnown ? `${name} ${missing.join(', ')}` : name;
    jobs.push({ release: name, what, arches: isKnown ? missing : arches, version });
  }
  const excluded = new Map<OpenShiftVersion, ExcludedRelease>();
  const wanted = jobs.filter(({ version }) => {
    const because = version === undefined ? undefined : reasonAgainstVersion(version, rules);
    if (version !== undefined && because !== undefined) excluded.set(version, { version, because });
    return because === undefined;
  });
  return { jobs: wanted, excluded: [...excluded.values()] };
}
