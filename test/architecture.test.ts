import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { describe, expect, it } from 'vitest';
import { findCycles, importsBelow, loadedBy, type Import } from './support/imports.ts';

/** The pipeline: a stage imports only what stands left of it, and nouns. */
const STAGES = ['spec', 'resolve', 'plan', 'compile', 'sign', 'layer', 'verify', 'push', 'manifests'];

/** Things that every stage may name: pure folders, and files at the top of `src`. */
const NOUNS = [
  'oci',
  'kmod',
  'brand.ts',
  'errors.ts',
  'events.ts',
  'io.ts',
  'without-credentials.ts',
  'yaml-documents.ts',
];

/** Places that reach the outside world. */
const EDGES = ['registry', 'engine', 'github'];

/** Value types that are nouns, although they live in the stage that reads them. */
const VALUE_TYPES = ['kernel-release', 'module-name', 'object-name', 'openshift-version'].map(
  (name) => `src/spec/${name}.ts`,
);

const IO_MODULES =
  /^(?:node:)?(?:fs|net|tls|http|https|http2|dns|dgram|child_process|cluster|worker_threads)(?:\/|$)|^(?:undici|zx|dockerode|@octokit\/)/;

const imports = importsBelow('src', 'cli');

/** `sign` for `src/sign/der.ts`, `errors.ts` for `src/errors.ts`, undefined outside of `src`. */
function placeOf(path: string): string | undefined {
  return /^src\/([^/]+)/.exec(path)?.[1];
}

function isOurs(path: string): boolean {
  return path.startsWith('src/') || path.startsWith('cli/');
}

/** `src/a.ts imports src/b.ts`, for the message of a failed test. */
function listed(wrong: readonly Import[]): readonly string[] {
  return wrong.map(({ from, to }) => `${from} imports ${to}`);
}

describe('Architecture', () => {
  it('has only folders that stand in the plan', () => {
    const folders = [...new Set(imports.map(({ from }) => placeOf(from)))].filter(
      (place) => place !== undefined && !place.endsWith('.ts'),
    );

    expect([...STAGES, ...NOUNS, ...EDGES]).toEqual(expect.arrayContaining(folders));
  });

  it('lets a stage import only stages left of it, nouns, and the types of edges', () => {
    const wrong = imports.filter(({ from, to, isTypeOnly }) => {
      const stage = STAGES.indexOf(placeOf(from) ?? '');
      const place = placeOf(to);
      if (stage < 0 || place === undefined || NOUNS.includes(place)) return false;
      if (EDGES.includes(place)) return !isTypeOnly;
      const other = STAGES.indexOf(place);
      return other < 0 || other > stage;
    });

    expect(listed(wrong)).toEqual([]);
  });

  it('lets nouns import only nouns, value types, and the types of edges', () => {
    const wrong = imports.filter(({ from, to, isTypeOnly }) => {
      const place = placeOf(to);
      if (!NOUNS.includes(placeOf(from) ?? '') || place === undefined || NOUNS.includes(place)) return false;
      if (EDGES.includes(place)) return !isTypeOnly;
      return !VALUE_TYPES.includes(to);
    });

    expect(listed(wrong)).toEqual([]);
  });

  it('keeps image nouns free of kernel modules', () => {
    const wrong = imports.filter(({ from, to }) => placeOf(from) === 'oci' && placeOf(to) === 'kmod');

    expect(listed(wrong)).toEqual([]);
  });

  it('reaches the outside world only from registry, engine, github and cli', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        IO_MODULES.test(to) && from.startsWith('src/') && !EDGES.includes(placeOf(from) ?? ''),
    );

    expect(listed(wrong)).toEqual([]);
  });

  it('loads engines and GitHub only when they are needed', () => {
    const wrong = imports.filter(
      ({ from, to, isTypeOnly, isDynamic }) =>
        ['engine', 'github'].includes(placeOf(to) ?? '') &&
        placeOf(from) !== placeOf(to) &&
        !from.startsWith('cli/doctor/') &&
        !isTypeOnly &&
        !isDynamic,
    );

    expect(listed(wrong)).toEqual([]);
  });

  it('loads no bundled package of CommonJS by itself: in the bundle its names would be missing', async () => {
    const external = (await readFile('package.json', 'utf8')).match(/(?<=--external:)[^ "]+/g) ?? [];
    const packages = imports.filter(
      ({ to, isDynamic, isTypeOnly }) =>
        isDynamic &&
        !isTypeOnly &&
        !isOurs(to) &&
        !isBuiltin(to) &&
        !external.some((name) => to.startsWith(name)),
    );
    const types = await Promise.all(
      packages.map(async ({ to }) => {
        const manifest = await readFile(`node_modules/${to}/package.json`, 'utf8');
        return [to, (JSON.parse(manifest) as { type?: string }).type];
      }),
    );

    expect(types.filter(([, type]) => type !== 'module')).toEqual([]);
  });

  it('reads what others wrote as YAML in one place, which refuses what would fill the stack', async () => {
    const readers = imports.filter(
      ({ from, to }) => to === 'yaml' && from !== 'src/yaml-documents.ts' && from !== 'src/manifests/yaml.ts',
    );
    const texts = await Promise.all(
      readers.map(async ({ from }) => [from, await readFile(from, 'utf8')] as const),
    );

    // The one that writes reads back single words only.
    const wrong = texts.filter(([, text]) =>
      /\b(?:parse|parseDocument|parseAllDocuments|Parser|Composer)\b[^;]*from 'yaml'/.test(text),
    );
    expect(readers.length).toBeGreaterThan(3);
    expect(wrong.map(([from]) => from)).toEqual([]);
  });

  it('never imports cli from src', () => {
    const wrong = imports.filter(({ from, to }) => from.startsWith('src/') && to.startsWith('cli/'));

    expect(listed(wrong)).toEqual([]);
  });

  it('has no cycles of files that load each other', () => {
    const cycles = findCycles(imports.filter(({ to, isTypeOnly }) => isOurs(to) && !isTypeOnly));

    expect(cycles).toEqual([]);
  });

  it('answers --version without loading anything but the version', () => {
    const loaded = [...loadedBy('cli/main.ts', imports)].sort();

    expect(loaded).toEqual(['cli/main.ts', 'cli/version.ts']);
  });

  it('prints help without loading what commands do', () => {
    const loaded = [...loadedBy('cli/run.ts', imports)];

    expect(loaded.filter((path) => !path.startsWith('cli/')).sort()).toEqual([
      'commander',
      'node:util',
      'src/errors.ts',
      'src/file-failure.ts',
      'src/oci/arch.ts',
      'src/spec/kernel-release.ts',
    ]);
  });

  it('has a light entry: no zod, no HTTP client, no engine', () => {
    const loaded = [...loadedBy('src/index.ts', imports)];

    expect(['node:crypto', 'node:module', 'yaml']).toEqual(
      expect.arrayContaining(loaded.filter((path) => !path.startsWith('src/'))),
    );
  });
});
