import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

/** A check of Ignition configurations by Ignition's own schema of a version: returns what is wrong, empty when nothing is. */
export function ignitionCheck(version: '3.2.0'): (config: unknown) => readonly string[] {
  const file = `fixtures/ignition/ignition-${version}.schema.json`;
  const schema = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  // It says that it is draft 4, and uses nothing that later drafts read otherwise.
  delete schema['$schema'];
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  return (config) => {
    validate(config);
    return (validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`);
  };
}
