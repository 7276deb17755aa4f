import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { makeProgram } from '../cli/program.ts';
import { Spec } from '../src/spec/schema.ts';
import { contextOf } from './support/cli.ts';

describe('What is generated is fresh: npm test -- -u', () => {
  it('spec.schema.json is made from Spec', async () => {
    const schema = JSON.stringify(z.toJSONSchema(Spec, { io: 'input' }), null, 2);

    await expect(`${schema}\n`).toMatchFileSnapshot('../spec.schema.json');
  });

  it('cli/version.ts is made from package.json', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

    await expect(
      `/** Version of this package. Made from package.json by \`npm test -- -u\`. */\nexport const VERSION = '${version}';\n`,
    ).toMatchFileSnapshot('../cli/version.ts');
  });

  for (const [words, command] of commandsOf(makeProgram(contextOf().context))) {
    it(`fixtures/help/${words.join('-')}.txt is what ${words.join(' ')} --help prints`, async () => {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();

      await expect(help).toMatchFileSnapshot(`../fixtures/help/${words.join('-')}.txt`);
    });

    it(`${words.join(' ')} --help has an example`, () => {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();

      expect(
        /^Examples?:\n  kmodlayer |^Example:\n  source /m.test(help) || command.commands.length > 0,
      ).toBe(true);
    });
  }
});

type Program = ReturnType<typeof makeProgram>;

/** Every command with the words that lead to it. */
function commandsOf(
  command: Program,
  before: readonly string[] = [],
): (readonly [readonly string[], Program])[] {
  const words = [...before, command.name()];
  return [[words, command], ...command.commands.flatMap((child) => commandsOf(child, words))];
}
