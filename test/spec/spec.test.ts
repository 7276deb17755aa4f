import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SpecError, type SpecProblem } from '../../src/errors.ts';
import { parseSpec, pathFrom, referenceFrom } from '../../src/spec/spec.ts';

const MINIMAL = readFileSync('fixtures/specs/minimal.yaml', 'utf8');

/** The problems of a spec; fails when it has none. */
function problemsOf(text: string): readonly SpecProblem[] {
  try {
    parseSpec(text, 'kmodlayer.yaml');
  } catch (error) {
    if (error instanceof SpecError && error.code === 'SPEC_INVALID') return error.problems;
    throw error;
  }
  throw new Error('The spec has no problem');
}

/** The one problem of the minimal spec with a piece of it replaced. */
function problemWith(piece: string, replacement: string): SpecProblem {
  if (!MINIMAL.includes(piece)) throw new Error(`The minimal spec has no ${piece}`);
  const problems = problemsOf(MINIMAL.replace(piece, replacement));
  expect(problems).toHaveLength(1);
  return problems[0]!;
}

describe('parseSpec()', () => {
  it('fills in what the minimal spec leaves out', () => {
    const set = parseSpec(MINIMAL, 'dir/kmodlayer.yaml');

    expect(set).toMatchObject({
      name: 'acme-nic',
      file: 'dir/kmodlayer.yaml',
      targets: { arches: ['x86_64'], streams: undefined, kernels: ['default'], exclude: [] },
      signing: { type: 'unsigned' },
      rollout: { pools: ['worker'] },
    });
    expect(set.targets.releaseRepository).toBeUndefined();
    expect(set.drivers[0]?.build).toMatchObject({
      type: 'run',
      command: 'make -C "/usr/src/kernels/$KERNEL_RELEASE" M="$PWD" modules',
      args: {},
      secrets: [],
    });
  });

  it('reads every key of the full spec', () => {
    const set = parseSpec(readFileSync('fixtures/specs/full.yaml', 'utf8'), 'full.yaml');

    expect(set.targets.releases.map((release) => release.type)).toEqual([
      'version',
      'version',
      'version',
      'version',
      'range',
      'image',
      'image',
    ]);
    expect(set.targets.releaseRepository).toEqual({
      transport: 'docker',
      host: 'mirror.example.com:8443',
      repository: 'openshift/release-images',
    });
    expect(set.drivers.map((driver) => driver.source.type)).toEqual(['git', 'directory', 'files']);
    expect(set.drivers.map((driver) => driver.build?.type)).toEqual(['run', 'containerfile', undefined]);
    expect(set.drivers[0]).toMatchObject({
      modules: [
        { name: 'ice', autoload: true, replaces: ['ice'], parameters: { debug: '0', label: 'port a' } },
        { name: 'irdma_acme', autoload: false },
      ],
      softdeps: [{ module: 'ice', pre: ['gnss'], post: ['irdma_acme'] }],
      firmware: './ddp',
    });
    expect(set.signing).toMatchObject({
      type: 'signers',
      signers: [
        { type: 'file', hash: 'sha512', passphrase: { type: 'env', name: 'SIGNING_PASSPHRASE' } },
        { type: 'command', command: ['./kms-sign.sh', '--key', 'modules-2026'], input: 'file' },
      ],
    });
    expect(set.rollout.pools).toEqual(['worker', 'worker-rt']);
  });

  it('reads ranges, an update graph, what is excluded, and ceilings', () => {
    const { targets } = parseSpec(
      MINIMAL.replace(
        '[4.18.4]',
        `['4.16.x', '>=4.18.3 <4.20', 4.18.4]
  graph: https://osus.example.com
  exclude:
    - { release: 4.18.4, because: broken }
    - { release: '~4.16.3', because: worse }
    - { kernel: 5.14.0-611.*, because: its CRCs moved }
  ceiling: [{ minor: '4.18', release: 4.18.13, because: the driver is not ported }]`,
      ),
      'kmodlayer.yaml',
    );

    expect(targets).toMatchObject({
      releases: [
        { type: 'range', range: '4.16.x' },
        { type: 'range', range: '>=4.18.3 <4.20' },
        { type: 'version', version: '4.18.4' },
      ],
      graph: { type: 'url', url: 'https://osus.example.com/api/upgrades_info/v1/graph' },
      exclude: [
        { type: 'release', range: '4.18.4', because: 'broken' },
        { type: 'release', range: '~4.16.3', because: 'worse' },
        { type: 'kernel', pattern: '5.14.0-611.*', because: 'its CRCs moved' },
      ],
      ceilings: [{ minor: { major: 4, minor: 18 }, release: '4.18.13' }],
    });
  });

  it.each([
    ["'4.10.x'", 'releases[0]', 'it holds no release from 4.12 on'],
    ["'>=banana'", 'releases[0]', 'it holds no release from 4.12 on'],
    ['4.18.4]\n  graph: https://user:secret@osus.example.com #', 'graph', 'its address holds a password'],
    ['4.18.4]\n  graph: ftp://osus.example.com #', 'graph', 'it is neither a web address nor a file'],
    [
      '4.18.4]\n  exclude: [{ because: broken }] #',
      'exclude[0]',
      '"exclude[0]" has no "release" or "kernel"',
    ],
    [
      "4.18.4]\n  ceiling: [{ minor: '4.18', release: 4.17.1, because: b }] #",
      'ceiling[0].release',
      'no release of',
    ],
    [
      "4.18.4]\n  ceiling: [{ minor: '4', release: 4.17.1, because: b }] #",
      'ceiling[0].minor',
      'two numbers',
    ],
  ])('says what is wrong with %s', (text, path, message) => {
    const problem = problemWith('[4.18.4]', `[${text}]`);

    expect(problem.path).toBe(`targets.${path}`);
    expect(problem.message).toContain(message);
    expect(problem.message).not.toContain('secret');
    expect(problem.hint).toBeDefined();
  });

  it('shows all five mistakes of a spec, each with path, line, message and hint', () => {
    const problems = problemsOf(readFileSync('fixtures/specs/five-mistakes.yaml', 'utf8'));

    expect(problems).toEqual([
      {
        path: 'targets.releases[0]',
        line: 5,
        message: 'Cannot use release "4.16.x-x86_64": it names an architecture',
        hint: 'Architectures are listed under "arches".',
      },
      {
        path: 'targets.kernels[1]',
        line: 6,
        message: '"kernels[1]" cannot be "rtt"',
        hint: 'Did you mean "rt"?',
      },
      {
        path: 'drivers[0].version',
        line: 9,
        message: '"version" must be text, not the number 1.1',
        hint: 'Put it in quotes: version: "1.10".',
      },
      {
        path: 'drivers[0].moduls',
        line: 11,
        message: 'Unknown key "moduls"',
        hint: 'Did you mean "modules"?',
      },
      {
        path: 'drivers[0].softdeps[0].module',
        line: 14,
        message: 'No driver of this set has module "icee"',
        hint: 'Did you mean "ice"?',
      },
    ]);
  });
});

describe('parseSpec() on values', () => {
  it.each(['4.16.x', '>=4.18.3 <4.20', '4.18', '~4.18.1', '4.17.1 - 4.17.9', '*', '4.18.1 || 4.19.2'])(
    'takes the range %s',
    (range) => {
      const { targets } = parseSpec(MINIMAL.replace('[4.18.4]', `["${range}"]`), 'kmodlayer.yaml');

      expect(targets.releases).toEqual([{ type: 'range', range }]);
    },
  );

  it.each([
    ['4.18.4-x86_64', 'it names an architecture'],
    ['4.18.4-multi', 'it names an architecture'],
    ['quay.io/acme/release', 'it has neither tag nor digest'],
    ['stable', 'Cannot use OpenShift version "stable"'],
    ['quay.io/Acme/release:1', 'its repository is not a valid path'],
  ])('refuses release %s', (release, message) => {
    const problem = problemWith('[4.18.4]', `["${release}"]`);

    expect(problem.message).toContain(message);
    expect(problem.hint).toBeDefined();
  });

  it('says that a number is no release', () => {
    const problem = problemWith('[4.18.4]', '[4.18]');

    expect(problem).toMatchObject({
      path: 'targets.releases[0]',
      message: '"releases[0]" must be text, not the number 4.18',
      hint: 'Write full versions, for instance 4.18.4.',
    });
  });

  it('takes architectures in both spellings, once each', () => {
    const set = parseSpec(
      MINIMAL.replace('[4.18.4]', '[4.18.4]\n  arches: [amd64, x86_64, arm64]'),
      'a.yaml',
    );

    expect(set.targets.arches).toEqual(['x86_64', 'aarch64']);
  });

  it.each([
    ['name: acme,', 'name: acme, parameters: { debug: "a\\nb" },', 'parameter value'],
    ['name: acme,', "name: acme, parameters: { debug: 'a\"b' },", 'parameter value'],
    ['name: acme,', "name: acme, parameters: { debug: 'a#b' },", 'parameter value'],
    ['name: acme,', "name: acme, parameters: { debug: 'a\\b' },", 'parameter value'],
    ['name: acme,', 'name: acme, parameters: { "a b": "1" },', 'parameter name'],
    ['name: acme,', 'name: acme, replaces: ["../ice"],', 'module name'],
  ])('refuses a module with %s -> %s', (piece, replacement, what) => {
    const text = MINIMAL.replace('{ name: acme }', '{ name: acme, }');

    const problems = problemsOf(text.replace(piece, replacement));

    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toContain(what);
    expect(problems[0]!.hint).toBeDefined();
  });

  it.each([
    ['ext::sh -c id', 'no URL of a kind that is fetched safely'],
    ['--upload-pack=id', 'no URL of a kind that is fetched safely'],
    ['https://me:hunter2@git.example.com/a.git', 'it holds a user or a password'],
    ['https://hunter2@git.example.com/a.git', 'it holds a user or a password'],
    ['ssh://git:hunter2@git.example.com/a.git', 'it holds a user or a password'],
  ])('refuses git URL %s and repeats no password', (url, why) => {
    const problem = problemWith('directory: ./src', `git: { url: "${url}", ref: v1 }`);

    expect(problem.message).toContain(why);
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it.each(['--output=x', 'a..b', 'v1 v2', '@{u}'])('refuses git ref %s', (ref) => {
    const problem = problemWith('directory: ./src', `git: { url: https://example.com/a.git, ref: "${ref}" }`);

    expect(problem.message).toContain('Cannot use git ref');
  });

  it('takes a repository to publish to, but no tag', () => {
    const problem = problemWith('rhcos-acme-nic', 'rhcos-acme-nic:v1');

    expect(problem).toMatchObject({
      path: 'publish.osImage',
      line: 12,
      hint: 'Write "quay.example.com/acme/rhcos-acme-nic": kmodlayer makes the tags.',
    });
  });

  it.each([
    ['key: "pkcs11:object=a?pin-value=hunter2"', 'it holds the PIN'],
    ['key: "pkcs11:object=a", pin: hunter2', '"pin" must be a mapping, not a string'],
    ['command: { run: hunter2 }', '"command" must be a list, not a mapping'],
    ['command: [a, 12345]', '"command[1]" must be text, not a number'],
    ['key: "-----BEGIN PRIVATE KEY-----hunter2"', 'it is the key itself'],
    ['key: k, passphrase: hunter2', '"passphrase" must be a mapping, not a string'],
    ['key: k, passphrase: { env: "hunter2!" }', 'Cannot use this environment variable'],
    ['key: k, passphrase: { env: 12345 }', '"env" must be text, not a number'],
  ])('refuses to sign with %s and repeats no secret', (entry, message) => {
    const problem = problemWith('publish:', `sign: [{ ${entry}, certificate: c.der }]\npublish:`);

    expect(problem.message).toContain(message);
    expect(JSON.stringify(problem)).not.toMatch(/hunter2|12345/);
  });
});

describe('parseSpec() on what no single value shows', () => {
  it.each([
    ['directory: ./src', 'directory: ./src, files: [acme.ko]', '"source" has "directory" and "files"'],
    ['directory: ./src', '', '"source" has no "directory", "git", "archive"'],
    ['[4.18.4]', '[4.18.4, 4.18.4]', '"4.18.4" is there twice'],
    ['publish:', 'rollout: { day1: [acme] }\npublish:', 'Day 1 units have no image to pull'],
    [
      'publish:',
      'rollout: { day1: [akme] }\npublish:\n  kmodImage: quay.io/a/b',
      'No driver of this set is "akme"',
    ],
    ['[4.18.4]', '[4.18.4]\n  exclude: [{ release: 4.18.4, because: x }]', 'All releases are excluded'],
    ['[{ name: acme }]', '[{ name: a-b }, { name: a_b }]', 'Module "a_b" is there twice'],
    ['directory: ./src', 'files: [other.ko]', 'No file of the source is module "acme"'],
    ['publish:', '    softdeps: [{ module: acme }]\npublish:', 'This soft dependency names no modules'],
    ['publish:', '    build: { args: {} }\npublish:', '"build" has no "run" or "containerfile"'],
    ['publish:', '    build: { run: make, stage: a }\npublish:', '"stage" goes with "containerfile"'],
    ['publish:', '    build: { containerfile: C, workdir: a }\npublish:', '"workdir" goes with "run"'],
    ['publish:', 'sign: [{ key: a, certificate: b, passphrase: {} }]\npublish:', '"passphrase" has no "env"'],
    [
      'publish:',
      '    build: { run: make, secrets: [{ id: a, file: b }, { id: a, file: c }] }\npublish:',
      'Secret "a" is there twice',
    ],
    [
      'publish:',
      '  - { name: acme, version: "1", source: { directory: . }, modules: [{ name: b }] }\npublish:',
      'Driver "acme" is there twice',
    ],
  ])('refuses %s -> %s', (piece, replacement, message) => {
    const problem = problemWith(piece, replacement);

    expect(problem.message).toContain(message);
    expect(problem.line).toBeGreaterThan(0);
    expect(problem.hint).toBeDefined();
  });

  it('finds module files with a build, a module twice and a wrong value together', () => {
    const problems = problemsOf(
      MINIMAL.replace('1.0.0', 'a b').replace(
        'source: { directory: ./src }',
        'source: { files: [acme.ko] }\n    build: { run: make }',
      ),
    );

    expect(problems.map((problem) => problem.path)).toEqual(['drivers[0].version', 'drivers[0].build']);
  });
});

describe('parseSpec() on YAML', () => {
  it('names the line of a syntax error', () => {
    const problems = problemsOf('apiVersion: kmodlayer/v1\nkind: [DriverSet\nmetadata: {}\n');

    expect(problems[0]).toMatchObject({ path: '', line: 3 });
    expect(problems[0]!.message).toMatch(/^Cannot read this YAML: /);
  });

  it('refuses a key that comes twice, and shows the other problems as well', () => {
    const problems = problemsOf(`${MINIMAL}kind: DriverSet\nextra: 1\n`);

    expect(problems.map(({ line, message }) => [line, message])).toEqual([
      [13, 'Cannot read this YAML: Map keys must be unique'],
      [14, 'Unknown key "extra"'],
    ]);
  });

  it.each([
    ['', 'The spec is empty'],
    ['- a', 'The spec must be a mapping'],
    ['a: *nowhere', 'Cannot read this YAML'],
    ['--- 1\n--- 2\n', 'Cannot read this YAML'],
    [`a: ${'['.repeat(100_000)}`, 'Cannot read this YAML'],
    ['x'.repeat(300_000), 'the limit is 262144'],
  ])('refuses text %# of these', (text, message) => {
    const problems = problemsOf(text);

    expect(problems.map((problem) => problem.message).join('\n')).toContain(message);
  });

  it('refuses aliases that multiply', () => {
    const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level++) {
      levels.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`);
    }

    const problems = problemsOf(levels.join('\n'));

    expect(problems[0]!.message).toContain('Cannot read this YAML');
  });
});

describe('pathFrom() and referenceFrom()', () => {
  it('start relative paths at the directory of the spec', () => {
    const paths = ['./src', '../keys/a.key', '/abs/a.key'].map((path) => pathFrom('specs/a.yaml', path));
    const layout = referenceFrom('/etc/a.yaml', { transport: 'oci', path: 'out' });

    expect(paths).toEqual(['specs/src', 'keys/a.key', '/abs/a.key']);
    expect(layout).toEqual({ transport: 'oci', path: '/etc/out' });
  });
});
