import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

/** A definition as the API server has it. */
interface Definition {
  readonly spec: {
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Record<string, unknown> };
    }[];
  };
}

/**
 * A check of objects by a custom resource definition in `fixtures/crds`: returns what is wrong, empty when nothing is.
 * Unlike the API server, which drops unknown keys without a word, it names them.
 */
export function crdCheck(file: string, version: string): (object: unknown) => readonly string[] {
  const definition = parse(readFileSync(`fixtures/crds/${file}`, 'utf8')) as Definition;
  const schema = definition.spec.versions.find(({ name }) => name === version)?.schema.openAPIV3Schema;
  if (schema === undefined) throw new Error(`${file} has no version ${version}`);
  const validate = new Ajv({ strict: false, allErrors: true }).compile(closed(schema) as object);
  return (object) => {
    validate(object);
    return (validate.errors ?? []).map(
      ({ instancePath, message = '', params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
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
