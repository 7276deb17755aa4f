import { stringify } from 'yaml';

/**
 * A result as YAML: the same values as in JSON, without what is undefined. A file of its own, loaded when it is needed:
 * of packages in CommonJS, an `import()` of the package itself gives no names once it is bundled.
 */
export function resultYaml(document: object): string {
  return stringify(JSON.parse(JSON.stringify(document)), { lineWidth: 0 });
}
