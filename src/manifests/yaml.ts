import { Document, parse, Scalar, visit } from 'yaml';

/**
 * Kubernetes objects as YAML text, one document each. Texts that a reader of YAML 1.1 or 1.2 would take for something
 * else (`yes`, `0755`, `0o755`, `1e3`) are quoted.
 */
export function toYaml(objects: readonly object[]): string {
  return objects.map(toDocument).join('---\n');
}

function toDocument(object: object): string {
  const document = new Document(object, { version: '1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && isAmbiguous(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0, directives: false });
}

/** The library quotes what YAML 1.1 reads otherwise; Kubernetes reads a mixture of both. */
function isAmbiguous(text: string): boolean {
  return text.length < 64 && /^[-+.~\w]+$/.test(text) && parse(text, { version: '1.2' }) !== text;
}
