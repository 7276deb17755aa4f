/** What YAML and JSON are made of, once they are read. Values may be shared between places (aliases): never change one. */
export type Value = string | number | boolean | null | readonly Value[] | Mapping;

export interface Mapping {
  readonly [key: string]: Value;
}

/** A path inside a document: keys and positions, from the top. */
export type ValuePath = readonly (string | number)[];

export function isMapping(value: Value | undefined): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The mapping, or an empty one for anything else: rules look on, and a rule of the structure says what is wrong. */
export function mappingOf(value: Value | undefined): Mapping {
  return isMapping(value) ? value : NOTHING;
}

/** The list, or an empty one for anything else. */
export function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

/** The text, or undefined for anything else and for an empty text. */
export function textOf(value: Value | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The texts of a list; what is none is left out. */
export function textsOf(value: Value | undefined): readonly string[] {
  return listOf(value).filter((item) => typeof item === 'string');
}

/** What stands at a path, or undefined. */
export function valueAt(value: Value | undefined, path: ValuePath): Value | undefined {
  let here = value;
  for (const part of path) {
    if (typeof part === 'number') here = listOf(here)[part];
    else here = isMapping(here) && Object.hasOwn(here, part) ? here[part] : undefined;
  }
  return here;
}

/** Says whether two values are the same, whatever the order of keys. */
export function isSameValue(left: Value | undefined, right: Value | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) || Array.isArray(right)) {
    const [a, b] = [listOf(left), listOf(right)];
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      a.length === b.length &&
      a.every((item, at) => isSameValue(item, b[at]))
    );
  }
  if (!isMapping(left) || !isMapping(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSameValue(left[key], right[key]))
  );
}

/** `spec.config.storage.files[0].path`; keys that are not plain words are quoted. */
export function formatValuePath(path: ValuePath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(part)) text += `[${JSON.stringify(part.slice(0, 100))}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

const NOTHING: Mapping = {};
