import { resolve } from 'node:path';
import { measure, type Command } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = 15;

/** What a script that calls the CLI, or a program that imports the library, waits before anything happens. */
export async function benchStartUp(directory: string): Promise<readonly Row[]> {
  const main = resolve('dist/cli/main.js');
  const entry = resolve('dist/src/index.js');
  const steps: readonly { readonly name: string; readonly command: Command; readonly goal?: number }[] = [
    { name: 'node -e 0', command: { argv: [process.execPath, '-e', '0'] } },
    { name: 'kmodlayer --version', command: { argv: [process.execPath, main, '--version'] }, goal: 1 / 2 },
    {
      name: 'import the library',
      command: {
        argv: [process.execPath, '--input-type=module', '-e', `await import(${JSON.stringify(entry)})`],
      },
      goal: 1 / 1.6,
    },
  ];
  const samples = steps.map(() => [] as ReturnType<typeof measure>[]);
  for (let round = 0; round < ROUNDS; round++) {
    steps.forEach(({ command }, at) => samples[at]?.push(measure([command], { disk: directory })));
  }
  return steps.map(({ name, goal }, at) => ({
    name,
    samples: samples[at] ?? [],
    ...(goal === undefined ? {} : { against: [{ name: 'node -e 0', goal }] }),
  }));
}
