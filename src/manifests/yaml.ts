import { stringify } from 'yaml';

/**
 * Kubernetes objects as YAML text, one document each. Texts that a YAML 1.1 reader would take for something else
 * (`yes`, `0755`, `1e3`) are quoted.
 */
export function toYaml(objects: readonly object[]): string {
  return objects.map((object) => stringify(object, { version: '1.1', lineWidth: 0 })).join('---\n');
}
