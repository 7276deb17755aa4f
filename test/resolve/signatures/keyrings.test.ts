import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as generated from '../../../src/resolve/signatures/keyrings.generated.ts';

const FILES = {
  VERIFICATION_OPENSHIFT: 'release-verification-openshift.yaml',
  VERIFICATION_OKD: 'release-verification-okd.yaml',
} as const;

function textOf(file: string): string {
  return readFileSync(join(import.meta.dirname, '../../../fixtures/releases', file), 'utf8');
}

describe('keyrings.generated.ts', () => {
  it('is made from the ConfigMaps in fixtures/releases/', async () => {
    const constants = Object.entries(FILES).map(([name, file]) => {
      const literal = textOf(file).replace(/[\\`]|\$\{/g, '\\$&');
      return `\n/** \`fixtures/releases/${file}\` */\nexport const ${name} = \`${literal}\`;\n`;
    });
    const source = `// Made from fixtures/releases/ by "npm test -- -u". Do not edit.\n${constants.join('')}`;

    await expect(source).toMatchFileSnapshot('../../../src/resolve/signatures/keyrings.generated.ts');
  });

  it.each(Object.entries(FILES))('holds %s byte for byte', (name, file) => {
    expect(Reflect.get(generated, name)).toBe(textOf(file));
  });
});
