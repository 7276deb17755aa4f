import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lockIdentity } from '../src/plan/lock.ts';
import { formatLock } from '../src/plan/lockfile.ts';
import { parseSpec } from '../src/spec/spec.ts';
import { makeTarget, pinOf } from '../test/plan/targets.ts';
import { measure, type Sample } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = 5;
const RELEASES = 600;
const KERNELS = 250;
const ARCHES = ['x86_64', 'aarch64'] as const;
const MAX_RSS_BYTES = 200e6;

const PARSE = `
import { readFileSync } from 'node:fs';
import { parse } from ${JSON.stringify(resolve('node_modules/yaml/dist/index.js'))};
parse(readFileSync(process.argv[1], 'utf8'));
`;

/** Many releases, planned from what they are pinned to, beside parsing that with `yaml`; and how the work grows. */
export async function benchPlan(directory: string): Promise<readonly Row[]> {
  const root = join(directory, 'plan');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const work = join(root, 'plan-work.mjs');
  execFileSync(
    'npx',
    [
      'esbuild',
      'bench/plan-work.ts',
      '--bundle',
      '--platform=node',
      '--format=esm',
      `--outfile=${work}`,
      BANNER,
    ],
    { stdio: 'pipe' },
  );
  const spec = join(root, 'kmodlayer.yaml');
  writeFileSync(spec, SPEC);
  const file = writeLock(root, RELEASES, KERNELS);
  const samples: { parse: Sample[]; plan: Sample[] } = { parse: [], plan: [] };
  for (let round = 0; round < ROUNDS; round++) {
    samples.parse.push(
      measure([{ argv: [process.execPath, '--input-type=module', '-e', PARSE, file] }], { disk: root }),
    );
    samples.plan.push(measure([{ argv: [process.execPath, work, file, spec] }], { disk: root }));
  }
  const growth = [
    [RELEASES / 2, KERNELS],
    [RELEASES, KERNELS],
    [RELEASES * 2, KERNELS],
    [RELEASES, KERNELS / 2],
    [RELEASES, KERNELS * 2],
  ].map(([releases = 0, kernels = 0]) => {
    const lock = writeLock(root, releases, kernels);
    return `${releases} releases on ${kernels} kernels: ${execFileSync(process.execPath, [work, lock, spec], { encoding: 'utf8' }).trim()}`;
  });
  const megabytes = (readFileSync(file).length / 1e6).toFixed(1);
  return [
    { name: 'yaml, the lock file', samples: samples.parse },
    {
      name: 'plan from the lock file',
      samples: samples.plan,
      against: [{ name: 'yaml, the lock file', goal: 1 / 3 }],
      maxRssBytes: MAX_RSS_BYTES,
      notes: [
        `plan: ${RELEASES} releases x 2 architectures x 2 flavours x 3 drivers on ${KERNELS} kernels each, ${megabytes} MB of YAML`,
        ...growth,
      ],
    },
  ];
}

const BANNER =
  "--banner:js=import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

const SPEC = `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: net }
targets: { releases: [4.18.0], arches: [x86_64, aarch64], kernels: [default, rt] }
drivers:
${['one', 'two', 'three'].map((name) => `  - { name: ${name}, version: "1", source: { directory: ${name} }, build: { run: make }, modules: [{ name: ${name} }] }`).join('\n')}
publish: { osImage: quay.example.com/acme/net, kmodImage: quay.example.com/acme/kmods }
`;

/** Writes a lock file as `kmodlayer lock` does. */
function writeLock(root: string, releases: number, kernels: number): string {
  const directory = join(root, `${releases}-${kernels}`);
  mkdirSync(directory, { recursive: true });
  const targets = Array.from({ length: releases }, (_, at) =>
    ARCHES.map((arch) =>
      makeTarget(
        `4.${12 + Math.floor(at / 100)}.${at % 100}`,
        `5.14.0-${Math.floor((at * kernels) / releases)}.el9_4.${arch}`,
        { arch, flavours: ['rt'] },
      ),
    ),
  ).flat();
  const set = parseSpec(SPEC, 'kmodlayer.yaml');
  const pins = Object.fromEntries(set.drivers.map(({ name }) => [name, pinOf(name)]));
  const file = join(directory, 'kmodlayer.lock.yaml');
  writeFileSync(file, formatLock({ spec: lockIdentity(set), targets, excluded: [], pins }, directory));
  return file;
}
