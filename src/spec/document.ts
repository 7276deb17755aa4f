import { isMap, isPair, isScalar, isSeq, LineCounter, type Document, type Node } from 'yaml';
import type { SpecProblem } from '../errors.ts';
import { DeepYaml, readYamlDocuments } from '../yaml-documents.ts';

/** A path inside a document: keys and positions, from the top. */
export type DocumentPath = readonly (string | number)[];

/** A YAML document that knows where everything in it stands. */
export interface SpecDocument {
  /** The document as plain values. */
  readonly value: unknown;
  /** What is wrong with the YAML itself; when there is anything but duplicate keys, `value` means nothing. */
  readonly problems: readonly SpecProblem[];
  readonly isReadable: boolean;
  /** Line, from 1, of the key or item at a path, or of the nearest thing around it that is there. */
  readonly lineOf: (path: DocumentPath) => number | undefined;
  /** How the scalar at a path is written, without quotes: `1.10` where the value is the number 1.1. */
  readonly writtenAt: (path: DocumentPath) => string | undefined;
}

/** Largest spec that is read, in characters: the YAML parser compares each key with all others of its mapping. */
const MAX_SPEC_LENGTH = 256 * 1024;

/** Broken YAML may break at each of its characters; more mistakes than this help nobody. */
const MAX_YAML_PROBLEMS = 50;

/** Reads YAML 1.2. Never throws: what is wrong is in `problems`. */
export function readDocument(text: string): SpecDocument {
  if (text.length > MAX_SPEC_LENGTH) {
    return unreadable(`Cannot read a spec of ${text.length} characters: the limit is ${MAX_SPEC_LENGTH}`);
  }
  const lineCounter = new LineCounter();
  try {
    const [document, second] = readYamlDocuments(text, { lineCounter, stringKeys: true });
    if (document === undefined) throw new TypeError('There is always a document');
    if (second !== undefined) {
      return unreadable(
        'Cannot read this YAML: it has more than one document',
        lineCounter.linePos(second.range[0]).line,
      );
    }
    const mistakes = [...document.errors, ...document.warnings];
    const isReadable = mistakes.every((mistake) => mistake.code === 'DUPLICATE_KEY');
    return {
      value: isReadable ? document.toJS({ maxAliasCount: 100 }) : undefined,
      problems: mistakes.slice(0, MAX_YAML_PROBLEMS).map((mistake) => ({
        path: '',
        line: lineCounter.linePos(mistake.pos[0]).line,
        message: `Cannot read this YAML: ${firstLine(mistake.message)}`,
      })),
      isReadable,
      lineOf: (path) => {
        const at = offsetOf(document, path);
        return at === undefined ? undefined : lineCounter.linePos(at).line;
      },
      writtenAt: (path) => {
        const node = document.getIn(path, true);
        return isScalar(node) ? node.source : undefined;
      },
    };
  } catch (error) {
    // Too many aliases, an alias without its anchor, or too deep.
    return unreadable(
      `Cannot read this YAML: ${error instanceof Error ? firstLine(error.message) : 'it is broken'}`,
      error instanceof DeepYaml ? lineCounter.linePos(error.at).line : undefined,
    );
  }
}

function unreadable(message: string, line?: number): SpecDocument {
  return {
    value: undefined,
    problems: [{ path: '', message, ...(line === undefined ? {} : { line }) }],
    isReadable: false,
    lineOf: () => undefined,
    writtenAt: () => undefined,
  };
}

/** `drivers[0].modules[1].name`; keys that are not plain words are quoted. */
export function formatPath(path: DocumentPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(part)) text += `[${JSON.stringify(part.slice(0, 100))}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** Where the last part of a path that exists begins. A key stands for its value, which may begin on a later line. */
function offsetOf(document: Document.Parsed, path: DocumentPath): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0];
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)];
      if (item === undefined) break;
      offset = (item as Node).range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[.:]$/, '');
}
