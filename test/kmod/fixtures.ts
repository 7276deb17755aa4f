import { readFileSync } from 'node:fs';

/** Reads a file of `fixtures/modules`. */
export function readModuleFixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/modules/${name}`, import.meta.url));
}
