import { Environment, Optional } from '@marcbachmann/cel-js';

/** A rule of `x-kubernetes-validations`. */
export interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly optionalOldSelf?: boolean;
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** A format of Kubernetes' CEL library, which is no part of the language itself. */
class NamedFormat {
  readonly pattern: RegExp;
  readonly maxLength: number;

  constructor(pattern: RegExp, maxLength: number) {
    this.pattern = pattern;
    this.maxLength = maxLength;
  }
}

const SUBDOMAIN = new NamedFormat(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, 253);

const environment = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true })
  .registerType('NamedFormat', NamedFormat)
  .registerConstant('format', 'map', {})
  .registerFunction('map.dns1123Subdomain(): NamedFormat', () => SUBDOMAIN)
  .registerFunction('NamedFormat.validate(string): optional', (format: NamedFormat, text: string) =>
    format.pattern.test(text) && text.length <= format.maxLength
      ? Optional.none()
      : Optional.of(['no match']),
  );

/**
 * A rule as a function of `self`, and of the value before a change where it is one over changes: true when it holds.
 *
 * @throws {Error} for a rule that uses what the evaluator does not have: it is never taken to hold.
 */
export function celRule({ rule }: CelRule): (self: unknown, oldSelf?: unknown) => boolean {
  const parsed = environment.parse(rule);
  const { valid, error } = parsed.check();
  if (!valid) throw new Error(`Cannot evaluate ${rule}`, { cause: error });
  return (self, oldSelf) => {
    const result: unknown = parsed(oldSelf === undefined ? { self } : { self, oldSelf });
    if (typeof result !== 'boolean') throw new Error(`${rule} gave ${String(result)}`);
    return result;
  };
}

/** Rules over a change have nothing to say about an object that is new. */
export function isTransition({ rule, optionalOldSelf = false }: CelRule): boolean {
  return /\boldSelf\b/.test(rule) && !optionalOldSelf;
}

/** A value as CEL has it: integers are of a type of their own. */
export function celValue(value: unknown, schema: JsonSchema | undefined): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => celValue(item, schema?.['items'] as JsonSchema | undefined));
  }
  if (typeof value === 'object' && value !== null) {
    const properties = (schema?.['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
    const rest = schema?.['additionalProperties'] as JsonSchema | undefined;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, celValue(item, properties[key] ?? rest)]),
    );
  }
  const isInteger = schema?.['type'] === 'integer' || schema?.['x-kubernetes-int-or-string'] === true;
  return isInteger && typeof value === 'number' ? BigInt(value) : value;
}
