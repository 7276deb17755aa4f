import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { worldDirectory } from '../test/support/world.ts';
import { benchBoot } from './boot.ts';
import { benchDepmod } from './depmod.ts';
import { benchLayering } from './layering.ts';
import { benchStartUp } from './start-up.ts';
import { benchLint } from './lint.ts';
import { type Row, tableOf } from './table.ts';
import { benchPlan } from './plan.ts';
import { benchVerify } from './verify.ts';

/**
 * Measures what users wait for, side by side with the peers, in one run: `npm run bench [-- depmod verify ...]`.
 * Needs root and `npm run world -- --bench`. Prints tables and writes `.world/bench/results.json`.
 */
async function main(names: readonly string[]): Promise<void> {
  const directory = join(worldDirectory(), 'bench');
  mkdirSync(directory, { recursive: true });
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  const benches = {
    'start-up': benchStartUp,
    depmod: benchDepmod,
    lint: benchLint,
    plan: benchPlan,
    verify: benchVerify,
    boot: benchBoot,
    layering: benchLayering,
  };
  const wanted = Object.entries(benches).filter(([name]) => names.length === 0 || names.includes(name));
  const results: Record<string, readonly Row[]> = {};
  for (const [name, bench] of wanted) {
    results[name] = await bench(directory);
    process.stdout.write(`\n${name}\n${tableOf(results[name])}\n`);
  }
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryBytes: totalmem(),
    load: loadavg(),
    node: process.version,
  };
  writeFileSync(
    join(directory, 'results.json'),
    `${JSON.stringify({ at: new Date().toISOString(), machine, results }, null, 2)}\n`,
  );
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
