import { z } from 'zod';
import type { SpecProblem } from '../errors.ts';
import { formatPath, type DocumentPath, type SpecDocument } from './document.ts';
import { findNearest } from './nearest.ts';
import { Spec } from './schema.ts';

/** What is wrong with the shape or the values of a document, in the order of its lines. */
export function findShapeProblems(document: SpecDocument, error: z.ZodError): readonly SpecProblem[] {
  const schema = z.toJSONSchema(Spec, { io: 'input' });
  return error.issues.flatMap((issue) => describeIssue(issue, { document, schema }));
}

/** One problem with its path written out and its line looked up. */
export function problemAt(
  document: SpecDocument,
  path: DocumentPath,
  { message, hint }: { readonly message: string; readonly hint?: string | undefined },
): SpecProblem {
  const line = document.lineOf(path);
  return {
    path: formatPath(path),
    ...(line === undefined ? {} : { line }),
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}

interface Surroundings {
  readonly document: SpecDocument;
  readonly schema: unknown;
}

function describeIssue(issue: z.core.$ZodIssue, { document, schema }: Surroundings): readonly SpecProblem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const name = nameOf(path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeysAt(schema, path);
      return issue.keys.map((key) =>
        problemAt(document, [...path, key], {
          message: `Unknown key ${JSON.stringify(key.slice(0, 100))}`,
          hint: suggest(key, known, 'Known keys here'),
        }),
      );
    }
    case 'invalid_type': {
      const value = valueAt(document.value, path);
      if (value === undefined || (value === null && path.length === 0)) {
        return [problemAt(document, path, missing(path, issue.expected))];
      }
      const message = `${name} must be ${withArticle(issue.expected)}, not ${describe(value, path)}`;
      return [problemAt(document, path, { message, hint: quoteHint(document, path, issue.expected) })];
    }
    case 'invalid_value': {
      const value = valueAt(document.value, path);
      const known = issue.values.map(String);
      if (value === undefined) return [problemAt(document, path, missing(path, `"${known.join('" or "')}"`))];
      return [
        problemAt(document, path, {
          message: `${name} cannot be ${describe(value, path)}`,
          hint: suggest(typeof value === 'string' ? value : '', known, 'Known values'),
        }),
      ];
    }
    case 'invalid_key':
      return issue.issues.map((inner) => problemAt(document, path, messageAndHint(inner)));
    case 'too_small':
      if (issue.origin !== 'array') {
        return [problemAt(document, path, { message: `${name} is too small: ${issue.minimum} at least` })];
      }
      return [problemAt(document, path, { message: `${name} is empty`, hint: 'List at least one.' })];
    case 'too_big':
      if (issue.origin !== 'array') {
        return [problemAt(document, path, { message: `${name} is too large: ${issue.maximum} at most` })];
      }
      return [
        problemAt(document, path, {
          message: `${name} has too many entries: ${issue.maximum} at most`,
          hint: 'This version does not do more yet.',
        }),
      ];
    case 'invalid_union':
      return describeUnion(issue, { document, schema });
    case 'custom':
    case 'invalid_format':
    case 'invalid_element':
    case 'not_multiple_of':
      return [problemAt(document, path, messageAndHint(issue))];
  }
}

/** What is wrong with the one form that was meant; when that cannot be told, which forms there are. */
function describeUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  surroundings: Surroundings,
): readonly SpecProblem[] {
  const isOtherForm = ({ code, path }: z.core.$ZodIssue): boolean =>
    path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
  const meant = issue.errors.find((issues) => !issues.some(isOtherForm));
  if (meant !== undefined) {
    return meant.flatMap((inner) =>
      describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, surroundings),
    );
  }
  const forms = issue.errors.flat().flatMap((inner) => {
    if (inner.code === 'invalid_type') return [withArticle(inner.expected)];
    return inner.code === 'invalid_value' ? inner.values.map((value) => JSON.stringify(value)) : [];
  });
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const value = valueAt(surroundings.document.value, path);
  const message = `${nameOf(path)} must be ${forms.join(' or ')}, not ${describe(value, path)}`;
  return [problemAt(surroundings.document, path, { message })];
}

function messageAndHint(issue: z.core.$ZodIssue): { message: string; hint: string | undefined } {
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined;
  return { message: issue.message, hint: typeof hint === 'string' ? hint : undefined };
}

function missing(path: DocumentPath, expected: string): { message: string; hint?: string } {
  if (path.length === 0)
    return { message: 'The spec is empty', hint: 'Begin with "apiVersion: kmodlayer/v1".' };
  const hint = expected.startsWith('"')
    ? `Write ${String(path.at(-1))}: ${expected.slice(1, -1)}.`
    : undefined;
  return { message: `${JSON.stringify(path.at(-1))} is missing`, ...(hint === undefined ? {} : { hint }) };
}

/** YAML reads `1.10` as the number 1.1 and `on` of old habits as text: quotes say what is meant. */
function quoteHint(document: SpecDocument, path: DocumentPath, expected: string): string | undefined {
  const written = document.writtenAt(path);
  if (expected !== 'string' || isPrivate(path) || written === undefined || written === '') return undefined;
  const isRelease = formatPath(path.slice(0, 2)) === 'targets.releases';
  if (isRelease) return 'Write full versions, for instance 4.18.4.';
  const key = path.at(-1);
  return `Put it in quotes: ${typeof key === 'string' ? `${key}: ` : ''}"${written.slice(0, 100)}".`;
}

function suggest(word: string, known: readonly string[], title: string): string | undefined {
  const nearest = findNearest(word, known);
  if (nearest !== undefined) return `Did you mean ${JSON.stringify(nearest)}?`;
  return known.length === 0 ? undefined : `${title}: ${known.join(', ')}.`;
}

/** Keys that the JSON Schema allows at a path. */
function knownKeysAt(schema: unknown, path: DocumentPath): readonly string[] {
  let at = schema;
  for (const part of path) at = schemaBelow(at, part);
  return Object.keys(property(at, 'properties') ?? {});
}

/** The schema of a key or an item; of a choice of forms, that of the first form that has one. */
function schemaBelow(schema: unknown, part: string | number): unknown {
  const forms = property(schema, 'anyOf');
  if (Array.isArray(forms)) {
    return forms.map((form) => schemaBelow(form, part)).find((below) => below !== undefined);
  }
  return typeof part === 'number'
    ? property(schema, 'items')
    : property(property(schema, 'properties'), part);
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let at = value;
  for (const part of path) at = property(at, part);
  return at;
}

/** An own property of anything, or undefined. */
function property(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string | number, unknown>>)[key];
}

/** `"kernels[1]"` for an item, the key for all else. */
function nameOf(path: DocumentPath): string {
  if (path.length === 0) return 'The spec';
  const fromKey = path.findLastIndex((part) => typeof part === 'string');
  return JSON.stringify(formatPath(path.slice(Math.max(fromKey, 0))));
}

/** What is written under "passphrase" by mistake may be the passphrase; arguments of commands may hold anything. */
function isPrivate(path: DocumentPath): boolean {
  return path.includes('passphrase') || path.includes('pin') || path.includes('command');
}

function describe(value: unknown, path: DocumentPath): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (isPrivate(path)) return `a ${typeof value}`;
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100));
  return typeof value === 'number' || typeof value === 'boolean'
    ? `the ${typeof value} ${value}`
    : `a ${typeof value}`;
}

function withArticle(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'text',
    boolean: 'true or false',
  };
  return words[expected] ?? `a ${expected}`;
}
