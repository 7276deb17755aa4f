import { type Document, isMap, isPair, isScalar, isSeq, type Node } from 'yaml';
import type { SpecProblem } from '../../errors.ts';
import { DeepYaml, readYamlDocuments } from '../../yaml-documents.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { makeSourceText } from './source-text.ts';
import { toValue, UnusableYaml } from './to-value.ts';
import { isMapping, listOf, mappingOf, textOf, type Mapping, type Value, type ValuePath } from './values.ts';

/** A file as it was read: its objects, or what keeps it from being read. */
export interface ReadManifests {
  readonly file: ManifestFile;
  readonly manifests: readonly Manifest[];
  /** Documents that are no objects of Kubernetes: their numbers, from 1. */
  readonly others: readonly number[];
  readonly problems: readonly SpecProblem[];
}

/** Largest file that is read, in characters: a list of the MachineConfigs of a whole cluster has tens of millions. */
const MAX_LENGTH = 256 * 1024 * 1024;

/** Broken YAML may break at each of its characters. */
const MAX_PROBLEMS = 10;

/** Objects in objects: a list in a policy, and no more than that. */
const MAX_NESTING = 4;

/**
 * Reads YAML or JSON: one object, several documents, or lists of objects. Never throws: what is wrong is in `problems`,
 * and then there are no manifests.
 */
export function readManifests(name: string, text: string): ReadManifests {
  const file: ManifestFile = { name, source: makeSourceText(text) };
  const broken = (message: string, at?: number): ReadManifests => ({
    file,
    manifests: [],
    others: [],
    problems: [
      {
        path: '',
        message: `Cannot read this YAML: ${message}`,
        ...(at === undefined ? {} : { line: file.source.placeOf(at).line }),
      },
    ],
  });
  if (text.length > MAX_LENGTH)
    return broken(`it has ${text.length} characters, and the limit is ${MAX_LENGTH}`);
  try {
    // The composer's own search for duplicate keys compares each with each.
    const documents = readYamlDocuments(text, { uniqueKeys: false });
    const errors = documents.flatMap((document) => document.errors);
    if (errors.length > 0) {
      return {
        file,
        manifests: [],
        others: [],
        problems: errors.slice(0, MAX_PROBLEMS).map(({ message, pos }) => ({
          path: '',
          line: file.source.placeOf(pos[0]).line,
          message: `Cannot read this YAML: ${firstLine(message)}`,
        })),
      };
    }
    const manifests: Manifest[] = [];
    const others: number[] = [];
    documents.forEach((tree, at) => {
      const { value, duplicates } = toValue(tree);
      const before = manifests.length;
      for (const { base, object } of objectsIn(value)) {
        const metadata = mappingOf(object['metadata']);
        manifests.push({
          file,
          document: at + 1,
          tree,
          base,
          apiVersion: textOf(object['apiVersion']) ?? '',
          kind: textOf(object['kind']) ?? '',
          name: textOf(metadata['name']) ?? '',
          value: object,
          duplicates: manifests.length === before ? duplicates : [],
          isLive: textOf(metadata['uid']) !== undefined,
        });
      }
      if (manifests.length === before && value !== null && !isEmptyList(value)) others.push(at + 1);
    });
    return { file, manifests, others, problems: [] };
  } catch (error) {
    if (error instanceof UnusableYaml || error instanceof DeepYaml) return broken(error.message, error.at);
    return broken(error instanceof Error ? firstLine(error.message) : 'it is broken');
  }
}

interface Placed {
  readonly base: ValuePath;
  readonly object: Mapping;
}

/** The object itself, the items of a list, and what policies of a fleet make on their clusters. */
function objectsIn(value: Value, base: ValuePath = []): readonly Placed[] {
  if (!isMapping(value) || typeof value['kind'] !== 'string' || base.length > 4 * MAX_NESTING) return [];
  const inItems = (items: Value | undefined, path: ValuePath, below: ValuePath = []): readonly Placed[] =>
    listOf(items).flatMap((item, at) => {
      const object = below.reduce<Value | undefined>((here, key) => mappingOf(here)[String(key)], item);
      return object === undefined ? [] : objectsIn(object, [...base, ...path, at, ...below]);
    });
  const { kind } = value;
  if (/List$/.test(kind) && Array.isArray(value['items'])) return inItems(value['items'], ['items']);
  const own: Placed = { base, object: value };
  const spec = mappingOf(value['spec']);
  switch (kind) {
    case 'Policy':
      return [own, ...inItems(spec['policy-templates'], ['spec', 'policy-templates'], ['objectDefinition'])];
    case 'ConfigurationPolicy':
      return [own, ...inItems(spec['object-templates'], ['spec', 'object-templates'], ['objectDefinition'])];
    default:
      return [own];
  }
}

function isEmptyList(value: Value): boolean {
  return isMapping(value) && /List$/.test(textOf(value['kind']) ?? '') && Array.isArray(value['items']);
}

/** The node at a path, or the nearest around it: where its key or item begins, and the value itself. */
export function findNode(
  tree: Document.Parsed,
  path: ValuePath,
): { readonly at: number; readonly node: Node | null } {
  let node: unknown = tree.contents;
  let at = tree.contents?.range[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      // The last one counts where a key stands twice.
      const pair = node.items.findLast(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
      );
      if (pair === undefined) return { at, node: null };
      at = (pair.key as Node).range?.[0] ?? at;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as Node | undefined;
      if (item === undefined) return { at, node: null };
      at = item.range?.[0] ?? at;
      node = item;
    } else return { at, node: null };
  }
  return { at, node: node as Node | null };
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[.:]$/, '');
}
