import { KmodError, ResolveError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import { parseReference, type RegistryReference } from '../oci/reference.ts';
import { isOpenShiftVersion, type OpenShiftVersion } from '../spec/openshift-version.ts';

/** A release that a graph knows. */
export interface GraphNode {
  readonly version: OpenShiftVersion;
  /** `payload` as it stands there; `payloadOf` reads it. */
  readonly payload: string;
  /** What may go wrong on the way into this release, each once. */
  readonly risks: readonly UpdateRisk[];
}

/** Why an update into a release is only recommended to some clusters. */
export interface UpdateRisk {
  /** Letters, digits and `. _ -`. */
  readonly name: string;
  /** Address of a page about it; empty when there is none. */
  readonly url: string;
  /** One line of at most 1,000 characters. */
  readonly message: string;
}

/** What an update graph says of a release. */
export interface UpdateFacts {
  /** The channel that has it, for instance `stable-4.18`; the path of a file. */
  readonly channel: string;
  readonly risks: readonly UpdateRisk[];
}

/** Largest graph that is read: 16 MiB. Real ones have up to 1 MB. */
export const MAX_GRAPH_BYTES = 16 * 1024 ** 2;

const MAX_NODES = 20_000;
const MAX_EDGE_GROUPS = 20_000;
const MAX_EDGES = 1_000_000;
const MAX_MESSAGE = 1000;

/**
 * Reads an answer of an update service: its releases, and the risks of the conditional updates into each. Releases
 * whose version is none of OpenShift's are left out; edges without a condition are not looked at.
 *
 * @param where The graph's place, for messages.
 * @throws {ResolveError} `GRAPH_INVALID`.
 * @see https://github.com/openshift/cincinnati/blob/master/docs/design/openshift.md
 */
export function parseGraph(bytes: Uint8Array, where: string): readonly GraphNode[] {
  const graph = objectOf(readJson(bytes, where));
  const { version, nodes } = graph;
  if (version !== undefined && version !== 1) {
    throw invalid(where, `its version is ${JSON.stringify(version).slice(0, 40)}, not 1`);
  }
  if (!Array.isArray(nodes)) throw invalid(where, 'it has no list of nodes');
  if (nodes.length > MAX_NODES) throw invalid(where, `it has ${nodes.length} nodes`);
  const risks = parseRisks(graph['conditionalEdges'], where);
  const found = new Map<OpenShiftVersion, GraphNode>();
  for (const node of nodes as unknown[]) {
    const entry = objectOf(node);
    const { payload } = entry;
    const text = entry['version'];
    if (typeof text !== 'string' || typeof payload !== 'string') {
      throw invalid(where, 'a node of it has no version or no payload');
    }
    // Some services write the architecture behind a "+".
    const name = text.replace(/\+[a-z0-9_]{1,20}$/, '');
    if (!isOpenShiftVersion(name)) continue;
    if (found.has(name)) throw invalid(where, `it has ${name} twice`);
    found.set(name, { version: name, payload, risks: [...(risks.get(name)?.values() ?? [])] });
  }
  return [...found.values()];
}

/**
 * The release image of a node, by digest.
 *
 * @throws {ResolveError} `GRAPH_INVALID`.
 */
export function payloadOf({ version, payload }: GraphNode, where: string): RegistryReference {
  try {
    const reference = parseReference(payload);
    if (reference.transport === 'docker' && reference.digest !== undefined) return reference;
  } catch (error) {
    if (!(error instanceof KmodError)) throw error;
  }
  throw invalid(where, `the payload of ${version} is no image by digest`);
}

function readJson(bytes: Uint8Array, where: string): unknown {
  if (bytes.length > MAX_GRAPH_BYTES) throw invalid(where, `it has more than ${MAX_GRAPH_BYTES} bytes`);
  try {
    return parseJson(bytes);
  } catch (error) {
    throw invalid(where, 'it is not JSON', error);
  }
}

/** Risks by the version that they lead into, each by its name. */
function parseRisks(edges: unknown, where: string): Map<string, Map<string, UpdateRisk>> {
  const found = new Map<string, Map<string, UpdateRisk>>();
  const groups = listOf(edges);
  if (groups.length > MAX_EDGE_GROUPS) throw invalid(where, `it has ${groups.length} conditional updates`);
  let edgeCount = 0;
  for (const group of groups) {
    const risks = listOf(objectOf(group)['risks']).slice(0, 100).flatMap(parseRisk);
    const into = listOf(objectOf(group)['edges']);
    edgeCount += into.length;
    if (edgeCount > MAX_EDGES) throw invalid(where, `it has more than ${MAX_EDGES} conditional updates`);
    for (const edge of into) {
      const { to } = objectOf(edge);
      if (typeof to !== 'string') continue;
      const known = found.get(to) ?? new Map<string, UpdateRisk>();
      for (const risk of risks) known.set(risk.name, risk);
      found.set(to, known);
    }
  }
  return found;
}

function parseRisk(value: unknown): readonly UpdateRisk[] {
  const { name, url, message } = objectOf(value);
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return [];
  return [
    {
      name,
      url: typeof url === 'string' && /^https?:\/\/[\x21-\x7e]{1,500}$/.test(url) ? url : '',
      message: typeof message === 'string' ? oneLine(message) : '',
    },
  ];
}

function oneLine(text: string): string {
  const line = text
    .slice(0, 4 * MAX_MESSAGE)
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE - 3).trimEnd()}...`;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

function invalid(where: string, why: string, cause?: unknown): ResolveError {
  return new ResolveError('GRAPH_INVALID', `Cannot use the update graph ${where}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Check that it is the address of an update service, or a file with what one answered.',
  });
}
