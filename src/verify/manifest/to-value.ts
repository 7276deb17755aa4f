import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { type Mapping, isMapping, listOf, type Value, type ValuePath } from './values.ts';

/** A document that cannot be made into values. `at` is an offset into the text. */
export class UnusableYaml extends Error {
  readonly at: number | undefined;

  constructor(message: string, at?: number) {
    super(message);
    this.at = at;
  }
}

/** A key that stands twice in one mapping. */
export interface DuplicateKey {
  readonly path: ValuePath;
  /** Offset of the second one. */
  readonly at: number;
}

/** Kubernetes objects are shallow; an attacker's are not, and the stack is not endless. */
const MAX_DEPTH = 100;

/** Values that aliases may add to those that are written out. */
const MAX_SHARED_VALUES = 100_000;

/** What tools that read YAML 1.1, as those of Kubernetes do, take for true and false. */
const OLD_BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'Yes', 'YES', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['no', 'No', 'NO', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
]);

/**
 * The values of a document as the tools of Kubernetes read them: as YAML 1.2, with the octal numbers, booleans and merge
 * keys of YAML 1.1. Aliases share the value of their anchor, and are counted as if they did not.
 *
 * @throws {UnusableYaml} for nesting beyond 100, aliases to nowhere or to what they are in, and aliases that multiply.
 * @see sigs.k8s.io/yaml, `goyaml.v2/resolve.go`
 */
export function toValue(document: Document.Parsed): {
  readonly value: Value;
  readonly duplicates: readonly DuplicateKey[];
} {
  const duplicates: DuplicateKey[] = [];
  /** Anchors that were read, with the number of values in each. */
  const anchors = new Map<string, { readonly value: Value; readonly size: number }>();
  const path: (string | number)[] = [];
  let count = 0;
  let shared = 0;

  const read = (node: Node | null | undefined, depth: number): Value => {
    if (node === null || node === undefined) return null;
    if (depth > MAX_DEPTH)
      throw new UnusableYaml(`it nests deeper than ${MAX_DEPTH} levels`, node.range?.[0]);
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined)
        throw new UnusableYaml(
          `the alias *${node.source.slice(0, 100)} has no anchor before it`,
          node.range?.[0],
        );
      count += target.size;
      shared += target.size;
      if (shared > MAX_SHARED_VALUES)
        throw new UnusableYaml('its aliases multiply beyond all measure', node.range?.[0]);
      return target.value;
    }
    const before = count++;
    const value = isMap(node)
      ? readMap(node, depth)
      : isSeq(node)
        ? readList(node, depth)
        : isScalar(node)
          ? scalarValue(node)
          : null;
    if (node.anchor !== undefined) anchors.set(node.anchor, { value, size: count - before });
    return value;
  };
  const readMap = ({ items }: { readonly items: readonly unknown[] }, depth: number): Mapping => {
    // Without a prototype, "__proto__" is a key like any other.
    const mapping = Object.create(null) as Record<string, Value>;
    const merged: Value[] = [];
    for (const pair of items) {
      if (!isPair(pair)) continue;
      const keyNode = pair.key as Node | null;
      const key = keyText(keyNode);
      path.push(key);
      const value = read(pair.value as Node | null, depth + 1);
      if (key === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN')
        merged.push(...(Array.isArray(value) ? listOf(value) : [value]));
      else {
        if (Object.hasOwn(mapping, key)) duplicates.push({ path: [...path], at: keyNode?.range?.[0] ?? 0 });
        mapping[key] = value;
      }
      path.pop();
    }
    for (const more of merged) {
      if (!isMapping(more)) continue;
      for (const [key, value] of Object.entries(more)) if (!Object.hasOwn(mapping, key)) mapping[key] = value;
    }
    return mapping;
  };
  const readList = ({ items }: { readonly items: readonly unknown[] }, depth: number): readonly Value[] =>
    items.map((item, at) => {
      path.push(at);
      const value = read(isPair(item) ? null : (item as Node | null), depth + 1);
      path.pop();
      return value;
    });

  return { value: read(document.contents, 0), duplicates };
}

function keyText(node: Node | null): string {
  if (!isScalar(node)) return '';
  return node.source !== undefined && typeof node.value !== 'string' ? node.source : String(node.value);
}

function scalarValue({ value, source, type }: Scalar): Value {
  if (type === 'PLAIN' && source !== undefined) {
    if (typeof value === 'string') return OLD_BOOLEANS.get(value) ?? value;
    if (typeof value === 'number' && isOctal(source)) return Number.parseInt(source.replaceAll('_', ''), 8);
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** Says whether Kubernetes reads a number as octal that YAML 1.2 and JSON read otherwise: `0644`. */
export function isOctal(source: string): boolean {
  return /^[-+]?0[0-7_]+$/.test(source);
}
