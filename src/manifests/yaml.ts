import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';

/** Loaded with the first manifest: those who import the library for its names and errors need not wait for it. */
const loadYaml = (): typeof Yaml => createRequire(import.meta.url)('yaml') as typeof Yaml;

/**
 * Kubernetes objects as YAML text, one document each. Texts that a reader of YAML 1.1 or 1.2 would take for something
 * else (`yes`, `0755`, `0o755`, `1e3`) are quoted.
 */
export function toYaml(objects: readonly object[]): string {
  const yaml = loadYaml();
  return objects.map((object) => toDocument(object, yaml)).join('---\n');
}

function toDocument(object: object, { Document, parse, Scalar, visit }: typeof Yaml): string {
  // The library quotes what YAML 1.1 reads otherwise; Kubernetes reads a mixture of both.
  const isAmbiguous = (text: string): boolean =>
    text.length < 64 && /^[-+.~\w]+$/.test(text) && parse(text, { version: '1.2' }) !== text;
  const document = new Document(object, { version: '1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && isAmbiguous(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0, directives: false });
}
