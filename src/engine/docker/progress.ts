import { field } from '../storage-program.ts';
import { makeLineSplitter } from '../process.ts';
import { readProtobuf } from './protobuf.ts';

/** What an API answers while it builds or fetches. */
export interface Progress {
  /** Takes a part of the answer. */
  readonly write: (chunk: Uint8Array) => void;
  /** Ends the answer and says what failed, where something did. */
  readonly end: () => string | undefined;
}

/** Fields of BuildKit's `StatusResponse` and the messages in it. */
const [VERTEXES, LOGS] = [1, 3];
const VERTEX = { digest: 1, name: 3, started: 5 };
const LOG = { message: 4 };

/**
 * Reads the JSON documents of an answer, and tells the lines that a build printed: `stream` of the classic builder and
 * of podman, BuildKit's records of steps and their output.
 */
export function makeProgress(onLine: (line: string) => void): Progress {
  let rest = '';
  let failure: string | undefined;
  const decoder = new TextDecoder();
  const output = makeLineSplitter(onLine);
  const begun = new Set<string>();
  const take = (line: string): void => {
    const message = parse(line);
    const error = field(field(message, 'errorDetail'), 'message') ?? field(message, 'error');
    if (typeof error === 'string') failure = error.trim();
    const stream = field(message, 'stream');
    if (typeof stream === 'string') output.write(stream);
    const aux = field(message, 'aux');
    if (field(message, 'id') === 'moby.buildkit.trace' && typeof aux === 'string') {
      for (const text of readStatus(Buffer.from(aux, 'base64'), begun)) output.write(text);
    }
  };
  return {
    write(chunk) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? '';
      lines.forEach(take);
    },
    end() {
      take(rest);
      rest = '';
      output.end();
      return failure;
    },
  };
}

/** Steps as they begin, a line each, and what they print. */
function readStatus(bytes: Uint8Array, begun: Set<string>): readonly string[] {
  const texts: string[] = [];
  for (const { number, bytes: inner } of readProtobuf(bytes)) {
    const fields = number === VERTEXES || number === LOGS ? readProtobuf(inner) : [];
    const textOf = (wanted: number): string =>
      Buffer.from(fields.find((one) => one.number === wanted)?.bytes ?? []).toString('utf8');
    if (number === LOGS) texts.push(textOf(LOG.message));
    if (number !== VERTEXES || !fields.some((one) => one.number === VERTEX.started)) continue;
    if (begun.has(textOf(VERTEX.digest))) continue;
    begun.add(textOf(VERTEX.digest));
    texts.push(`${textOf(VERTEX.name)}\n`);
  }
  return texts;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
