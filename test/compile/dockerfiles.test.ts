import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as generated from '../../src/compile/dockerfiles.generated.ts';

const DIRECTORY = join(import.meta.dirname, '../../dockerfiles');

const FILES = {
  DRIVER_TOOLKIT_CONTAINERFILE: 'driver-toolkit.Containerfile',
  COLLECT_CONTAINERFILE: 'collect-modules.Containerfile',
  CHECK_TOOLCHAIN: 'check-toolchain.sh',
  BUILD_DRIVER: 'build-driver.sh',
  BUILD_DKMS: 'build-dkms.sh',
  PREPARE_SRPM: 'prepare-srpm.sh',
  COLLECT_MODULES: 'collect-modules.sh',
} as const;

function textOf(file: string): string {
  return readFileSync(join(DIRECTORY, file), 'utf8');
}

describe('dockerfiles.generated.ts', () => {
  it('is made from the files in dockerfiles/', async () => {
    const constants = Object.entries(FILES).map(([name, file]) => {
      const literal = textOf(file).replace(/[\\`]|\$\{/g, '\\$&');
      return `\n/** \`dockerfiles/${file}\` */\nexport const ${name} = \`${literal}\`;\n`;
    });
    const source = `// Made from dockerfiles/ by "npm test -- -u". Do not edit.\n${constants.join('')}`;

    await expect(source).toMatchFileSnapshot('../../src/compile/dockerfiles.generated.ts');
  });

  it.each(Object.entries(FILES))('holds %s byte for byte', (name, file) => {
    expect(Reflect.get(generated, name)).toBe(textOf(file));
  });
});
