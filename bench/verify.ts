import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { VerifyReport } from '../src/verify/report.ts';
import { readBenchRelease } from './bench-release.ts';
import { type Command, measure, type Sample } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
/** Modules that are verified as if somebody had brought them. */
const SOME = 100;
const MAX_RSS_BYTES = 300e6;

/**
 * The static proof of all modules of a kernel and of a hundred, beside the tools that look at the same files: depmod
 * looks for symbols and nothing else, and modinfo for nothing.
 */
export async function benchVerify(directory: string): Promise<readonly Row[]> {
  const { kernelTree, stream } = readBenchRelease();
  const kernel = stream.kernelRelease;
  const modules = join(kernelTree, 'usr/lib/modules', kernel);
  const symvers = join(directory, 'symvers');
  writeFileSync(symvers, gunzipSync(readFileSync(join(modules, 'symvers.gz'))));
  const all = listModules(modules);
  const some = all
    .filter((_, index) => index % Math.floor(all.length / SOME) === 0)
    .slice(0, SOME)
    .map((path) => join(modules, path));
  const ours = [process.execPath, resolve('dist/cli/main.js'), 'verify', '--base', kernelTree];
  const verify = [...ours, '--kernel', kernel];
  const config = ['-C', join(kernelTree, 'usr/lib/depmod.d')];
  const depmod = ['depmod', '-a', '-e', '-E', symvers, '-b', kernelTree, ...config, kernel];

  const [wholeTheirs, whole] = compare({ argv: depmod }, { argv: verify }, directory);
  const [someTheirs, someOurs] = compare(
    { argv: ['modinfo', ...some] },
    { argv: [...verify, ...some] },
    directory,
  );
  return [
    { name: 'depmod -a -e -E symvers', samples: wholeTheirs },
    {
      name: `verify ${String(all.length)} modules`,
      samples: whole,
      against: [{ name: 'depmod -a -e -E symvers', goal: 1 }],
      maxRssBytes: MAX_RSS_BYTES,
      notes: [alarmsOf([...verify, '-o', 'json'])],
    },
    { name: `modinfo of ${String(SOME)}`, samples: someTheirs },
    {
      name: `verify ${String(SOME)} modules`,
      samples: someOurs,
      against: [{ name: `modinfo of ${String(SOME)}`, goal: 1 / 3 }],
    },
  ];
}

/** In turns, so that both meet the same machine. */
function compare(theirs: Command, ours: Command, disk: string): readonly [Sample[], Sample[]] {
  const samples: [Sample[], Sample[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    samples[0].push(measure([theirs], { disk }));
    samples[1].push(measure([ours], { disk }));
  }
  return samples;
}

function listModules(directory: string): readonly string[] {
  const lines = readFileSync(join(directory, 'modules.dep'), 'utf8').split('\n');
  return lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':'))] : []));
}

/** What a kernel's own modules are said to have wrong with them. */
function alarmsOf([program = '', ...args]: readonly string[]): string {
  const output = execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1024 ** 3 });
  const { targets } = JSON.parse(output) as VerifyReport;
  const checks = targets.flatMap(({ modules }) => modules.flatMap((module) => module.checks));
  const count = (wanted: string): string => String(checks.filter(({ status }) => status === wanted).length);
  return `of ${String(checks.length)} checks ${count('fail')} fail, ${count('warn')} warn, ${count('skip')} are skipped`;
}
