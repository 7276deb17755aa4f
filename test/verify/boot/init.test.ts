import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { INIT_SCRIPT } from '../../../src/verify/boot/init.generated.ts';

const SCRIPT = readFileSync(join(import.meta.dirname, '../../../guest/init.sh'), 'utf8');

describe('init.generated.ts', () => {
  it('is made from guest/init.sh', async () => {
    const literal = SCRIPT.replace(/[\\`]|\$\{/g, '\\$&');
    const source =
      '// Made from guest/ by "npm test -- -u". Do not edit.\n\n' +
      `/** \`guest/init.sh\` */\nexport const INIT_SCRIPT = \`${literal}\`;\n`;

    await expect(source).toMatchFileSnapshot('../../../src/verify/boot/init.generated.ts');
  });

  it('holds the script byte for byte', () => {
    expect(INIT_SCRIPT).toBe(SCRIPT);
  });
});
