import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readBenchRelease } from './bench-release.ts';
import { measure } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = 5;

/** Indexes of a kernel with all of its modules compressed with xz, and two modules more. */
export async function benchDepmod(directory: string): Promise<readonly Row[]> {
  const { kernelTree, stream } = readBenchRelease();
  const kernel = stream.kernelRelease;
  const merged = join(directory, 'depmod-tree');
  const modules = join('usr/lib/modules', kernel);
  rmSync(merged, { recursive: true, force: true });
  cpSync(kernelTree, merged, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(merged, modules, 'extra/hello'), { recursive: true });
  const added = ['kl_base.ko', 'kl_hello.ko'].map((name) => resolve('fixtures/quickstart/modules', name));
  for (const file of added)
    cpSync(file, join(merged, modules, 'extra/hello', file.slice(file.lastIndexOf('/') + 1)));
  const out = join(directory, 'depmod-out');
  const ours = [
    ...[process.execPath, resolve('dist/cli/main.js'), 'depmod', '--base', kernelTree, '--kernel', kernel],
    ...added.flatMap((file) => ['--add', `${file}:extra/hello/${file.slice(file.lastIndexOf('/') + 1)}`]),
    ...['--out', out, '--quiet'],
  ];
  const theirs = ['depmod', '-a', '-b', merged, '-C', join(merged, 'usr/lib/depmod.d'), kernel];
  const rows = { ours: [] as ReturnType<typeof measure>[], theirs: [] as ReturnType<typeof measure>[] };
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(out, { recursive: true, force: true });
    rows.theirs.push(measure([{ argv: theirs }], { disk: directory }));
    rows.ours.push(measure([{ argv: ours }], { disk: directory }));
  }
  return [
    { name: 'depmod -a', samples: rows.theirs },
    {
      name: 'kmodlayer depmod',
      samples: rows.ours,
      against: [{ name: 'depmod -a', goal: 8 }],
      notes: [readingOf(join(kernelTree, modules))],
    },
  ];
}

/** Bytes of the base that a merge reads: every index, since the base is checked first, and no module. */
function readingOf(directory: string): string {
  const names = readdirSync(directory).filter((name) => name.startsWith('modules.'));
  const files = names.map((name) => readFileSync(join(directory, name)));
  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  const packed = gzipSync(Buffer.concat(files)).length;
  const megabytes = (count: number): string => (count / 1e6).toFixed(2);
  return `kmodlayer depmod: reads ${megabytes(bytes)} MB of the base's indexes, ${megabytes(packed)} MB as gzip in a layer`;
}
