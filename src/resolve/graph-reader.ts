import { RegistryError, ResolveError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Arch, goArchOf } from '../oci/arch.ts';
import { withoutCredentials } from '../without-credentials.ts';
import type { GraphLocation } from '../spec/driver-set.ts';
import type { Minor } from '../spec/release-range.ts';
import { type GraphNode, MAX_GRAPH_BYTES, parseGraph } from './graph.ts';

/** The update service of OpenShift. */
export const PUBLIC_GRAPH: GraphLocation = {
  type: 'url',
  url: 'https://api.openshift.com/api/upgrades_info/v1/graph',
};

/** Kinds of channels, the one that is asked first. */
const CHANNELS = ['stable', 'fast', 'eus', 'candidate'] as const;

/** What reading a graph needs of the outside world. */
export type GraphIo = Pick<Io, 'web' | 'files' | 'signal'>;

/** Releases of a minor, as one channel has them. */
export interface ChannelReleases {
  /** For instance `stable-4.18`; of a file, its path. */
  readonly channel: string;
  readonly nodes: readonly GraphNode[];
}

/** Looks releases up in an update graph; what was read is remembered. */
export interface GraphReader {
  /** Address or path, for messages. */
  readonly where: string;
  /**
   * What is known of a minor, from one channel after the other: `stable`, `fast`, `eus`, `candidate`. Channels without
   * a release of the minor are left out. Releases of other minors, which channels hold as well, are none of it.
   *
   * @throws {ResolveError} `GRAPH_INVALID`; {RegistryError} when the service cannot be reached.
   */
  channelsOf(minor: Minor, arch: Arch): AsyncGenerator<ChannelReleases, void, undefined>;
}

/** Makes a reader. Nothing is read before it is needed. */
export function graphReader(location: GraphLocation, io: GraphIo): GraphReader {
  const read = new Map<string, Promise<readonly GraphNode[]>>();
  const once = (key: string, fetch: () => Promise<readonly GraphNode[]>): Promise<readonly GraphNode[]> => {
    const known = read.get(key) ?? fetch();
    read.set(key, known);
    return known;
  };
  const where =
    location.type === 'file' ? location.path : withoutCredentials(location.url).replace(/\?.*/, '');
  return {
    where,
    async *channelsOf(minor, arch) {
      const name = `${minor.major}.${minor.minor}`;
      const isOfMinor = ({ version }: GraphNode): boolean => version.startsWith(`${name}.`);
      const channels = location.type === 'file' ? [location.path] : CHANNELS.map((kind) => `${kind}-${name}`);
      for (const channel of channels) {
        const all =
          location.type === 'file'
            ? await once('', () => readFile(location.path, io))
            : await once(`${channel} ${arch}`, () => fetchChannel(location.url, { channel, arch }, io));
        const nodes = all.filter(isOfMinor);
        if (nodes.length > 0) yield { channel, nodes };
      }
    },
  };
}

async function fetchChannel(
  base: string,
  { channel, arch }: { readonly channel: string; readonly arch: Arch },
  io: GraphIo,
): Promise<readonly GraphNode[]> {
  const url = new URL(base);
  url.searchParams.set('channel', channel);
  // Without it, the service answers for amd64, whatever is asked for.
  url.searchParams.set('arch', goArchOf(arch));
  try {
    const bytes = await io.web.get({
      url: url.href,
      what: `channel ${channel} of the update graph`,
      accept: 'application/json',
      maxBytes: MAX_GRAPH_BYTES,
      signal: io.signal,
    });
    return bytes === undefined ? [] : parseGraph(bytes, `${url.origin}${url.pathname} (${channel}, ${arch})`);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.hint !== undefined) throw error;
    throw new RegistryError(error.code, error.message, {
      cause: error,
      status: error.status,
      hint: 'Ranges need an update graph: name another one with --graph, or list full versions.',
    });
  }
}

async function readFile(path: string, io: GraphIo): Promise<readonly GraphNode[]> {
  let bytes: Uint8Array;
  try {
    bytes = await io.files.read(path);
  } catch (error) {
    throw new ResolveError('GRAPH_INVALID', `Cannot read the update graph ${path}`, {
      cause: error,
      hint: 'Check the path; relative ones start at the spec, and those of --graph where you are.',
    });
  }
  return parseGraph(bytes, path);
}
