import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/errors.ts';
import type { Driver } from '../../src/spec/driver-set.ts';
import { parseSpec } from '../../src/spec/spec.ts';

const FRAME = `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: sources }
targets: { releases: [4.18.4] }
publish: { osImage: quay.example.com/acme/rhcos-sources }
`;

function driversOf(text: string): readonly Driver[] {
  return parseSpec(`${FRAME}${text}`, 'kmodlayer.yaml').drivers;
}

function problemsOf(source: string, rest = ''): readonly string[] {
  try {
    driversOf(
      `drivers: [{ name: a, version: '1', source: { ${source} }, modules: [{ name: acme }]${rest} }]`,
    );
  } catch (error) {
    if (error instanceof SpecError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

const SUM = 'a'.repeat(64);

describe.each(readdirSync('fixtures/sources').filter((name) => name.endsWith('.yaml')))(
  'fixtures/sources/%s',
  (name) => {
    it('is a spec', () => {
      expect(driversOf(readFileSync(`fixtures/sources/${name}`, 'utf8')).length).toBeGreaterThan(0);
    });
  },
);

describe('Sources of a spec', () => {
  it('reads an archive by URL and by path', () => {
    const [driver] = driversOf(readFileSync('fixtures/sources/archive.yaml', 'utf8'));

    expect(driver?.source).toMatchObject({
      type: 'archive',
      file: {
        location: { type: 'url', url: 'https://downloads.example.com/ice-1.14.13.tar.gz' },
        sha256: expect.stringMatching(/^sha256:5d41/) as string,
      },
      directory: 'src',
    });
  });

  it('lets dkms.conf say how its source is built', () => {
    const [driver] = driversOf(
      `drivers: [{ name: a, version: '1', source: { dkms: { archive: { file: a.tar, sha256: ${SUM} } } }, build: { args: { A: b } }, modules: [{ name: a }] }]`,
    );

    expect(driver).toMatchObject({
      source: { type: 'dkms', tree: { type: 'archive' } },
      build: { type: 'dkms', args: { A: 'b' } },
    });
  });

  it.each([
    [`archive: { file: a.tar, url: https://e.com/a, sha256: ${SUM} }`, '"archive" has "url" and "file"'],
    [`archive: { sha256: ${SUM} }`, '"archive" has no "url" or "file"'],
    ['archive: { file: a.tar }', '"sha256" is missing'],
    ['archive: { file: a.tar, sha256: abc }', 'Cannot use checksum "abc": it is no sha256'],
    [`archive: { url: ftp://e.com/a, sha256: ${SUM} }`, 'it is no web address'],
    [`archive: { url: https://u:hunter2@e.com/a, sha256: ${SUM} }`, 'it holds a user or a password'],
    [`archive: { file: a.tar, sha256: ${SUM}, directory: ../x }`, 'Cannot use directory in the source'],
    [`rpm: [{ file: a.rpm, sha256: ${SUM} }, { file: b.rpm, sha256: ${SUM} }]`, 'does not say which kernel'],
    ['rpm: { sha256: abc }', '"rpm" has no "url" or "file"'],
    [`srpm: { sha256: ${SUM} }`, '"srpm" has no "url" or "file"'],
    ['image: quay.io/a/b', 'it has neither tag nor digest'],
    ['dkms: {}', '"dkms" has no "directory", "git" or "archive"'],
    ['dkms: { directory: a, git: { url: https://e.com/a, ref: b } }', '"dkms" has "directory" and "git"'],
    ['dkms: { files: [a.ko] }', 'Unknown key "files"'],
  ])('refuses %s', (source, message) => {
    const problems = problemsOf(source);

    expect(problems.join('\n')).toContain(message);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  it.each(['image: quay.io/a/b:1', `rpm: { file: a.rpm, sha256: ${SUM} }`])(
    'builds nothing of %s',
    (source) => {
      expect(problemsOf(source)).toEqual([]);
      expect(problemsOf(source, ', build: { run: make }').join('\n')).toContain('There is nothing to build');
    },
  );

  it('refuses drivers that need each other in a circle, and shows it once', () => {
    const driver = (name: string, needs: string): string =>
      `{ name: ${name}, version: '1', source: { directory: a }, modules: [{ name: ${name} }], dependsOn: [${needs}] }`;
    const problemsWith = (...drivers: readonly string[]): readonly string[] => {
      try {
        driversOf(`drivers: [${drivers.join(', ')}]`);
        return [];
      } catch (error) {
        return error instanceof SpecError ? error.problems.map(({ message }) => message) : ['?'];
      }
    };

    expect(problemsWith(driver('a', 'b'), driver('b', 'c'), driver('c', 'a'))).toEqual([
      'Drivers need each other in a circle: a -> b -> c -> a',
    ]);
    expect(problemsWith(driver('a', 'a'))).toEqual(['Drivers need each other in a circle: a -> a']);
    expect(problemsWith(driver('a', 'bee'), driver('bees', ''))).toEqual(['No driver of this set is "bee"']);
    expect(problemsWith(driver('a', ''), driver('b', 'a'), driver('c', 'a, b'))).toEqual([]);
  });

  it.each(['run: make', 'containerfile: ./Containerfile', 'output: out'])(
    'refuses %s beside dkms.conf',
    (build) => {
      expect(problemsOf('dkms: { directory: a }', `, build: { ${build} }`).join('\n')).toContain(
        'does not go with a source of "dkms"',
      );
    },
  );
});
