import { ResolveError } from '../errors.ts';
import type { Report } from '../events.ts';
import type { Arch } from '../oci/arch.ts';
import { pinned, type Reference } from '../oci/reference.ts';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import {
  compareVersions,
  isInRange,
  type Minor,
  minorsInRange,
  type ReleaseRange,
} from '../spec/release-range.ts';
import { type GraphNode, payloadOf, type UpdateFacts } from './graph.ts';
import type { ChannelReleases, GraphReader } from './graph-reader.ts';

/** A release that a range stands for, on one architecture. */
export interface SelectedRelease {
  readonly version: OpenShiftVersion;
  readonly arch: Arch;
  /** The release image, by digest. */
  readonly payload: Reference;
  readonly update: UpdateFacts;
}

/** Which releases are looked up, and how. */
export interface SelectRequest {
  readonly ranges: readonly ReleaseRange[];
  readonly arches: readonly Arch[];
  /** Holds the releases by the same digests, in place of the repository that the graph names. */
  readonly releaseRepository: Reference | undefined;
}

/** Where a graph has gaps: a minor without a release does not end a range, two in a row do. */
const MAX_GAP = 1;
/** Minors that are looked up before the first one that has releases, in the first major of a range. */
const MAX_LEAD = 12;

/**
 * The releases that ranges stand for, from the first channel of each minor that has any. Sorted by version, each once
 * for each architecture.
 *
 * @throws {ResolveError} `RANGE_EMPTY` for a range without any release, `GRAPH_INVALID`; {RegistryError} when the graph
 *   cannot be reached.
 */
export async function selectReleases(
  request: SelectRequest,
  graph: GraphReader,
  report: Report,
): Promise<readonly SelectedRelease[]> {
  const found = new Map<string, SelectedRelease>();
  for (const range of request.ranges) {
    const perArch = await Promise.all(
      request.arches.map(async (arch) => ({ arch, releases: await releasesOf(range, arch, graph) })),
    );
    if (perArch.every(({ releases }) => releases.length === 0)) throw empty(range, request.arches, graph);
    for (const { arch, releases } of perArch) {
      if (releases.length === 0) {
        report({ type: 'warning', message: `The update graph has no release of ${range} for ${arch}` });
      }
      for (const { channel, node } of releases) {
        const payload = payloadOf(node, graph.where);
        const { version, risks } = node;
        found.set(`${version} ${arch}`, {
          version,
          arch,
          payload:
            request.releaseRepository === undefined || payload.digest === undefined
              ? payload
              : pinned(request.releaseRepository, payload.digest),
          update: { channel, risks },
        });
      }
    }
  }
  return [...found.values()].sort(
    (a, b) =>
      compareVersions(a.version, b.version) ||
      request.arches.indexOf(a.arch) - request.arches.indexOf(b.arch),
  );
}

interface ChannelRelease {
  readonly channel: string;
  readonly node: GraphNode;
}

async function releasesOf(
  range: ReleaseRange,
  arch: Arch,
  graph: GraphReader,
): Promise<readonly ChannelRelease[]> {
  const found: ChannelRelease[] = [];
  const minors = [...minorsInRange(range)];
  for (const major of new Set(minors.map((minor) => minor.major))) {
    const isFirst = major === minors[0]?.major;
    let isBegun = false;
    let unknown = 0;
    for (const minor of minors.filter((one) => one.major === major)) {
      const { isKnown, releases } = await releasesOfMinor(minor, { range, arch }, graph);
      found.push(...releases);
      isBegun ||= isKnown;
      unknown = isKnown ? 0 : unknown + 1;
      if (unknown > (isBegun || !isFirst ? MAX_GAP : MAX_LEAD)) break;
    }
    // A major that nobody knows is followed by none that somebody does.
    if (!isBegun && !isFirst) break;
  }
  return found;
}

async function releasesOfMinor(
  minor: Minor,
  { range, arch }: { readonly range: ReleaseRange; readonly arch: Arch },
  graph: GraphReader,
): Promise<{ readonly isKnown: boolean; readonly releases: readonly ChannelRelease[] }> {
  let isKnown = false;
  for await (const { channel, nodes } of graph.channelsOf(minor, arch)) {
    isKnown = true;
    const releases = inRange({ channel, nodes }, range);
    if (releases.length > 0) return { isKnown, releases };
  }
  return { isKnown, releases: [] };
}

function inRange({ channel, nodes }: ChannelReleases, range: ReleaseRange): readonly ChannelRelease[] {
  return nodes.filter(({ version }) => isInRange(version, range)).map((node) => ({ channel, node }));
}

function empty(range: ReleaseRange, arches: readonly Arch[], { where }: GraphReader): ResolveError {
  return new ResolveError(
    'RANGE_EMPTY',
    `Cannot use range ${JSON.stringify(range)}: the update graph ${where} has no release of it for ${arches.join(', ')}`,
    {
      hint: 'Channels stable, fast, eus and candidate were asked. Check the range: pre-releases are in it only when it names one.',
    },
  );
}
