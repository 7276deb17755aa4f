import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeProgram } from '../../../cli/program.ts';
import { contextOf, runCli } from '../../support/cli.ts';
import { SPEC } from './spec.ts';

const kinds =
  makeProgram(contextOf().context)
    .commands.find((command) => command.name() === 'machine-config')
    ?.commands.map((command) => command.name()) ?? [];

let cwd = '';

/** What the examples read stands beside them. */
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  const day1 = [
    '--name',
    '99-worker-ice',
    '--pool',
    'worker',
    '--image',
    'quay.io/acme/ice',
    '--module',
    'ice',
  ];
  const { stdout } = await runCli(['machine-config', 'day1', ...day1]);
  await writeFile(join(cwd, '99-worker-ice.yaml'), stdout);
  await writeFile(join(cwd, 'kmodlayer.yaml'), SPEC);
});

afterAll(() => rm(cwd, { recursive: true, force: true }));

/** The commands below "Example" of a help text; what programs that are not ours do with the output is theirs. */
function examplesIn(help: string): readonly string[] {
  const [, examples = ''] = help.split(/^Examples?:\n/m);
  return examples
    .replaceAll(/\\\n */g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/ (?:\| (?!kmodlayer)|> )/)[0] ?? '');
}

describe('kmodlayer machine-config', () => {
  it.each(kinds)('%s --help has examples that print something', async (kind) => {
    const help = await readFile(`fixtures/help/kmodlayer-machine-config-${kind}.txt`, 'utf8');
    const examples = examplesIn(help);

    expect(examples).not.toEqual([]);
    for (const example of examples) {
      const [program, ...argv] = example.split(/\s+/);
      const { exitCode, stdout, stderr } = await runCli(argv, { cwd });
      expect([example, program, exitCode, stderr]).toEqual([example, 'kmodlayer', 0, '']);
      expect(argv.slice(0, 2)).toEqual(['machine-config', kind]);
      expect(stdout.length).toBeGreaterThan(100);
    }
  });
});
