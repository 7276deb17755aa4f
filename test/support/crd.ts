import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { celRule, type CelRule, celValue, isTransition } from './cel.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** A definition as the API server has it. */
interface Definition {
  readonly spec: {
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: JsonSchema };
    }[];
  };
}

const isWithin =
  (bits: number) =>
  (value: number): boolean =>
    value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1);

const FORMATS = {
  int32: { type: 'number', validate: isWithin(32) },
  int64: { type: 'number', validate: isWithin(64) },
  'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
} as const;

/** What the API server says of one value, and of its change, beside what a JSON schema says. */
type Check = (value: unknown, path: string, before: unknown) => readonly string[];

/**
 * A check of objects by a custom resource definition in `fixtures/crds`: returns what is wrong, empty when nothing is.
 * Rules of `x-kubernetes-validations` are evaluated, and lists that are sets or maps have each entry once. With the object
 * that was there before, rules over changes are, too. Unlike the API server, which drops unknown keys without a word, it
 * names them.
 *
 * @throws {Error} for a rule that cannot be evaluated.
 */
export function crdCheck(
  file: string,
  version: string,
): (object: unknown, before?: unknown) => readonly string[] {
  const schema = schemaOf(file, version);
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  const validate = ajv.compile(closed(schema) as object);
  const check = serverCheck(schema);
  return (object, before) => {
    if (!validate(object)) {
      return (validate.errors ?? []).map(
        ({ instancePath, message = '', params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
      );
    }
    return check(object, '', before);
  };
}

/** The rules of a definition that `crdCheck` evaluates, each as `path: rule`, and those of them that are over changes. */
export function crdRules(
  file: string,
  version: string,
): { readonly evaluated: readonly string[]; readonly transitions: readonly string[] } {
  const rules: { readonly path: string; readonly rule: CelRule }[] = [];
  const collect = (schema: JsonSchema, path: string): void => {
    for (const rule of rulesOf(schema)) rules.push({ path, rule });
    for (const [key, child] of Object.entries(childrenOf(schema))) collect(child, `${path}.${key}`);
  };
  collect(schemaOf(file, version), '');
  const text = ({ path, rule }: (typeof rules)[number]): string => `${path}: ${rule.rule}`;
  return {
    evaluated: rules.filter(({ rule }) => !isTransition(rule)).map(text),
    transitions: rules.filter(({ rule }) => isTransition(rule)).map(text),
  };
}

function schemaOf(file: string, version: string): JsonSchema {
  const definition = parse(readFileSync(`fixtures/crds/${file}`, 'utf8')) as Definition;
  const schema = definition.spec.versions.find(({ name }) => name === version)?.schema.openAPIV3Schema;
  if (schema === undefined) throw new Error(`${file} has no version ${version}`);
  return schema;
}

function rulesOf(schema: JsonSchema): readonly CelRule[] {
  return (schema['x-kubernetes-validations'] ?? []) as readonly CelRule[];
}

/** The schemas below a schema: of properties by name, of items and of other keys as `[]` and `*`. */
function childrenOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { items, properties, additionalProperties } = schema;
  return {
    ...(properties as Readonly<Record<string, JsonSchema>> | undefined),
    ...(typeof items === 'object' ? { '[]': items as JsonSchema } : {}),
    ...(typeof additionalProperties === 'object' ? { '*': additionalProperties as JsonSchema } : {}),
  };
}

function serverCheck(schema: JsonSchema): Check {
  const rules = rulesOf(schema).map((rule) => ({
    text: rule.message ?? rule.rule,
    holds: celRule(rule),
    isOverChanges: isTransition(rule),
  }));
  const children = Object.entries(childrenOf(schema)).map(
    ([key, child]) => [key, serverCheck(child)] as const,
  );
  const below = new Map(children);
  return (value, path, before) => {
    const self = celValue(value, schema);
    const oldSelf = before === undefined ? undefined : celValue(before, schema);
    return [
      ...rules
        .filter(({ isOverChanges }) => !isOverChanges || oldSelf !== undefined)
        .filter(({ holds, isOverChanges }) => !(isOverChanges ? holds(self, oldSelf) : holds(self)))
        .map(({ text }) => `${path} ${text}`),
      ...duplicatesIn(value, schema).map((entry) => `${path} has ${entry} twice`),
      ...entriesOf(value).flatMap(([key, item]) => {
        const isItem = Array.isArray(value);
        const check = below.get(isItem ? '[]' : key) ?? below.get('*');
        return (
          check?.(
            item,
            isItem ? `${path}[${key}]` : `${path}.${key}`,
            valueBefore(before, key, item, schema),
          ) ?? []
        );
      }),
    ];
  };
}

/** What was there before a property or an item: of lists only those that are maps say which items are the same. */
function valueBefore(before: unknown, key: string, item: unknown, schema: JsonSchema): unknown {
  if (typeof before !== 'object' || before === null) return undefined;
  if (!Array.isArray(before)) return (before as Readonly<Record<string, unknown>>)[key];
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []) as readonly string[];
  const idOf = (one: unknown): string =>
    JSON.stringify(keys.map((name) => (one as Record<string, unknown>)[name]));
  return before.find((one: unknown) => idOf(one) === idOf(item)) as unknown;
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** Entries that `x-kubernetes-list-type` allows once only. */
function duplicatesIn(value: unknown, schema: JsonSchema): readonly string[] {
  const type = schema['x-kubernetes-list-type'];
  if (!Array.isArray(value) || (type !== 'set' && type !== 'map')) return [];
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []) as readonly string[];
  const names = value.map((item: unknown) =>
    JSON.stringify(type === 'set' ? item : keys.map((key) => (item as Record<string, unknown>)[key])),
  );
  return names.filter((name, at) => names.indexOf(name) < at);
}

/** The schema with every object closed that does not say that it takes more keys. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const json = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isClosed =
    typeof json['properties'] === 'object' &&
    json['additionalProperties'] === undefined &&
    json['x-kubernetes-preserve-unknown-fields'] !== true;
  return isClosed ? { ...json, additionalProperties: false } : json;
}
