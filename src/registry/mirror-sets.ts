import { LineCounter, YAMLError } from 'yaml';
import { ResolveError } from '../errors.ts';
import { DeepYaml, readYamlDocuments } from '../yaml-documents.ts';
import { mergeRules, type MirrorRule, parseLocation } from './mirrors.ts';

const MAX_BYTES = 4 * 1024 ** 2;

/** The list of each kind that holds mirrors, and what its mirrors serve. */
const KINDS = {
  ImageDigestMirrorSet: { list: 'imageDigestMirrors', pull: 'digest-only' },
  ImageTagMirrorSet: { list: 'imageTagMirrors', pull: 'tag-only' },
  ImageContentSourcePolicy: { list: 'repositoryDigestMirrors', pull: 'digest-only' },
  ImageContentPolicy: { list: 'repositoryDigestMirrors', pull: 'digest-only' },
} as const;

/**
 * Reads the mirror sets of a YAML file: IDMS, ITMS, ICSP and ImageContentPolicy, in one or several documents or in
 * lists. Objects of other kinds are passed over, as tools write both into one file.
 *
 * @throws {ResolveError} `MIRROR_INVALID` for YAML that is broken or holds no mirror set.
 */
export function parseMirrorSets(text: string, file: string): readonly MirrorRule[] {
  if (text.length > MAX_BYTES) throw invalid(file, `it has more than ${MAX_BYTES} characters`);
  const objects = documentsOf(text, file).flatMap((document) => itemsOf(document));
  const sets = objects.filter((object) => kindOf(object) !== undefined);
  if (sets.length === 0) {
    throw invalid(file, 'it holds no mirror set', `It should hold one of ${Object.keys(KINDS).join(', ')}.`);
  }
  return mergeRules(sets.flatMap((set) => rulesOf(set, file)));
}

type Json = Readonly<Record<string, unknown>>;

function documentsOf(text: string, file: string): readonly unknown[] {
  const lineCounter = new LineCounter();
  try {
    return readYamlDocuments(text, { lineCounter }).map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as unknown;
    });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    const at = error instanceof DeepYaml ? error.at : error instanceof YAMLError ? error.pos[0] : undefined;
    const where = at === undefined ? '' : ` (line ${lineCounter.linePos(at).line})`;
    throw invalid(file, `it is not YAML: ${why.slice(0, 200)}${where}`, undefined, error);
  }
}

/** The objects of a document: those of a list, or itself. */
function itemsOf(document: unknown): readonly Json[] {
  if (!isObject(document)) return [];
  const { kind, items } = document;
  const isList = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items);
  return isList ? items.filter(isObject) : [document];
}

function kindOf({ kind }: Json): keyof typeof KINDS | undefined {
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? (kind as keyof typeof KINDS) : undefined;
}

function rulesOf(set: Json, file: string): readonly MirrorRule[] {
  const kind = kindOf(set);
  if (kind === undefined) return [];
  const { list, pull } = KINDS[kind];
  const entries = isObject(set['spec']) ? (set['spec'][list] ?? []) : undefined;
  if (!Array.isArray(entries)) throw invalid(file, `spec.${list} of an ${kind} is not a list`);
  return entries.map((entry: unknown, at): MirrorRule => {
    const where = `spec.${list}[${at}] of an ${kind}`;
    if (!isObject(entry)) throw invalid(file, `${where} is not an object`);
    const { source, mirrors = [], mirrorSourcePolicy, allowMirrorByTags } = entry;
    if (!Array.isArray(mirrors)) throw invalid(file, `mirrors in ${where} is not a list`);
    return {
      prefix: parseLocation(source, file, true),
      location: undefined,
      mirrors: mirrors.map((mirror: unknown) => ({
        location: parseLocation(mirror, file, false),
        pull: allowMirrorByTags === true ? 'all' : pull,
        isInsecure: false,
      })),
      mayContactSource: parsePolicy(mirrorSourcePolicy, where, file),
      isInsecure: false,
      file,
    };
  });
}

function parsePolicy(policy: unknown, where: string, file: string): boolean | undefined {
  if (policy === undefined || policy === null || policy === '') return undefined;
  if (policy === 'AllowContactingSource') return true;
  if (policy === 'NeverContactSource') return false;
  throw invalid(
    file,
    `mirrorSourcePolicy in ${where} is neither AllowContactingSource nor NeverContactSource`,
  );
}

function isObject(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function invalid(file: string, why: string, hint?: string, cause?: unknown): ResolveError {
  return new ResolveError('MIRROR_INVALID', `Cannot use the mirrors of ${file}: ${why}`, { hint, cause });
}
