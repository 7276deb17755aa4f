import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const DIRECTORY = join(import.meta.dirname, '../../machineconfigs');

/** Scripts and units are files that tools can read; each loader carries those of its directory. */
describe.each(readdirSync(DIRECTORY).sort())('machineconfigs/%s', (loader) => {
  const files = readdirSync(join(DIRECTORY, loader)).sort();
  const textOf = (file: string): string => readFileSync(join(DIRECTORY, loader, file), 'utf8');
  const nameOf = (file: string): string => file.replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase();

  it(`is in src/manifests/day1/${loader}.generated.ts`, async () => {
    const constants = files.map((file) => {
      const literal = textOf(file).replace(/[\\`]|\$\{/g, '\\$&');
      return `\n/** \`machineconfigs/${loader}/${file}\` */\nexport const ${nameOf(file)} = \`${literal}\`;\n`;
    });
    const source = `// Made from machineconfigs/${loader}/ by "npm test -- -u". Do not edit.\n${constants.join('')}`;

    await expect(source).toMatchFileSnapshot(`../../src/manifests/day1/${loader}.generated.ts`);
  });

  it.each(files)('has %s byte for byte', async (file) => {
    const generated = (await import(`../../src/manifests/day1/${loader}.generated.ts`)) as object;

    expect(Reflect.get(generated, nameOf(file))).toBe(textOf(file));
  });

  it.each(files.filter((file) => file.endsWith('.sh')))('%s is ASCII and a script', (file) => {
    expect(textOf(file)).toMatch(/^#!\/[\n\x20-\x7e]+\n$/);
  });
});
