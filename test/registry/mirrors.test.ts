import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KmodError, ResolveError } from '../../src/errors.ts';
import { parseReference, type RegistryReference } from '../../src/oci/reference.ts';
import { loadMirrors } from '../../src/registry/mirror-files.ts';
import { parseMirrorSets } from '../../src/registry/mirror-sets.ts';
import { type AskedBy, findRule, type MirrorRule, placesOf } from '../../src/registry/mirrors.ts';
import { parseRegistriesConf } from '../../src/registry/registries-conf.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200);

const IDMS = `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: { name: release }
spec:
  imageDigestMirrors:
    - source: quay.io/openshift-release-dev/ocp-release
      mirrors: [mirror.example.com:5000/ocp/release, second.example.com/ocp]
    - source: quay.io/openshift-release-dev/ocp-v4.0-art-dev
      mirrorSourcePolicy: NeverContactSource
      mirrors: [mirror.example.com:5000/ocp/release]
---
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
spec:
  imageTagMirrors:
    - source: quay.io/openshift-release-dev/ocp-release
      mirrors: [tags.example.com/ocp]
---
kind: CatalogSource
`;

describe('mirror sets', () => {
  it('send digests to digest mirrors in their order, and then to the source', () => {
    const rules = parseMirrorSets(IDMS, 'idms.yaml');

    expect(places(rules, 'quay.io/openshift-release-dev/ocp-release', 'digest')).toEqual([
      'mirror.example.com:5000/ocp/release',
      'second.example.com/ocp',
      'quay.io/openshift-release-dev/ocp-release',
    ]);
  });

  it('send tags to tag mirrors only', () => {
    const rules = parseMirrorSets(IDMS, 'idms.yaml');

    expect(places(rules, 'quay.io/openshift-release-dev/ocp-release', 'tag')).toEqual([
      'tags.example.com/ocp',
      'quay.io/openshift-release-dev/ocp-release',
    ]);
  });

  it('keep away from a source that must not be asked', () => {
    const rules = parseMirrorSets(IDMS, 'idms.yaml');

    expect(places(rules, 'quay.io/openshift-release-dev/ocp-v4.0-art-dev', 'digest')).toEqual([
      'mirror.example.com:5000/ocp/release',
    ]);
    expect(places(rules, 'quay.io/openshift-release-dev/ocp-v4.0-art-dev', 'tag')).toEqual([]);
  });

  it('keep what follows the source in a name, and stop at a slash', () => {
    const rules = [rule({ prefix: 'quay.io/a', mirrors: [mirror('m.example/x')] })];

    expect(places(rules, 'quay.io/a/b/c', 'digest')).toEqual(['m.example/x/b/c', 'quay.io/a/b/c']);
    expect(findRule(rules, named('quay.io/ab'))).toBeUndefined();
  });

  it('read the older kinds, and lists', () => {
    const icsp = {
      kind: 'ImageContentSourcePolicy',
      spec: { repositoryDigestMirrors: [{ source: 'quay.io/a', mirrors: ['m.example/a'] }] },
    };
    const policy = {
      kind: 'ImageContentPolicy',
      spec: {
        repositoryDigestMirrors: [{ source: 'quay.io/b', mirrors: ['m.example/b'], allowMirrorByTags: true }],
      },
    };
    const rules = parseMirrorSets(JSON.stringify({ kind: 'List', items: [icsp, policy] }), 'list.json');

    expect(places(rules, 'quay.io/a', 'digest')).toEqual(['m.example/a', 'quay.io/a']);
    expect(places(rules, 'quay.io/a', 'tag')).toEqual(['quay.io/a']);
    expect(places(rules, 'quay.io/b', 'tag')).toEqual(['m.example/b', 'quay.io/b']);
  });

  it('contradict each other loudly', () => {
    const set = (policy: string): string =>
      `kind: ImageDigestMirrorSet\nspec: { imageDigestMirrors: [{ source: quay.io/a, mirrorSourcePolicy: ${policy}, mirrors: [m.example/a] }] }`;

    const parsing = (): unknown =>
      parseMirrorSets(`${set('NeverContactSource')}\n---\n${set('AllowContactingSource')}`, 'both.yaml');

    expect(parsing).toThrow(/differ on mirrorSourcePolicy/);
  });

  it.each([
    ['nothing', ''],
    ['other kinds', 'kind: ConfigMap'],
    ['broken YAML', 'kind: [oops'],
    ['a source with a scheme', set('https://quay.io/a', 'm.example/a')],
    ['a source with a tag', set('quay.io/a:v1', 'm.example/a')],
    ['a mirror that is no name', set('quay.io/a', 'UPPER CASE')],
    ['a list that is none', 'kind: ImageDigestMirrorSet\nspec: { imageDigestMirrors: 3 }'],
  ])('are refused when the file holds %s', (_, text) => {
    expect(() => parseMirrorSets(text, 'bad.yaml')).toThrow(ResolveError);
  });

  it('never throw anything but a KmodError', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.json().map((json) => `kind: ImageDigestMirrorSet\nspec: ${json}`),
      fc.json().map((json) => `kind: ImageDigestMirrorSet\nspec: { imageDigestMirrors: [${json}] }`),
    );

    fc.assert(
      fc.property(text, (input) => {
        expect(errorOf(() => parseMirrorSets(input, 'fuzz.yaml'))).toSatisfy(isFine);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('registries.conf', () => {
  const CONF = `
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "*.redhat.io"
[[registry.mirror]]
location = "wild.example.com"
[[registry]]
prefix = "registry.redhat.io/ubi9"
location = "internal.example.com/ubi9"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m1.example.com/ubi9"
insecure = true
[[registry]]
location = "blocked.example.com"
blocked = true
[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "m2.example.com/quay"
pull-from-mirror = "tag-only"
`;

  it('picks the longest prefix, and rewrites the source', () => {
    const rules = parseRegistriesConf(CONF, 'registries.conf');

    expect(places(rules, 'registry.redhat.io/ubi9/ubi', 'digest')).toEqual([
      'm1.example.com/ubi9/ubi',
      'internal.example.com/ubi9/ubi',
    ]);
    expect(places(rules, 'registry.redhat.io/ubi9/ubi', 'tag')).toEqual(['internal.example.com/ubi9/ubi']);
  });

  it('knows wildcards, which put the mirror in the place of the host', () => {
    const rules = parseRegistriesConf(CONF, 'registries.conf');

    expect(places(rules, 'cdn.registry.redhat.io/ubi8/ubi', 'tag')).toEqual([
      'wild.example.com/ubi8/ubi',
      'cdn.registry.redhat.io/ubi8/ubi',
    ]);
    expect(findRule(rules, named('redhat.io/x'))).toBeUndefined();
    expect(findRule(rules, named('evilredhat.io/x'))).toBeUndefined();
  });

  it('blocks, and keeps mirrors apart by what they serve', () => {
    const rules = parseRegistriesConf(CONF, 'registries.conf');

    expect(places(rules, 'blocked.example.com/a', 'any')).toEqual([]);
    expect(places(rules, 'quay.io/a/b', 'digest')).toEqual(['quay.io/a/b']);
    expect(places(rules, 'quay.io/a/b', 'tag')).toEqual(['m2.example.com/quay/a/b', 'quay.io/a/b']);
  });

  it.each([
    ['no TOML', '[[registry]\n'],
    ['no name', '[[registry]]\ninsecure = true'],
    ['a flag that is none', '[[registry]]\nlocation = "quay.io"\ninsecure = "yes"'],
    [
      'an unknown kind of mirror',
      '[[registry]]\nlocation="quay.io"\n[[registry.mirror]]\nlocation="a.b"\npull-from-mirror="x"',
    ],
  ])('is refused when it has %s', (_, text) => {
    expect(() => parseRegistriesConf(text, 'bad.conf')).toThrow(ResolveError);
  });

  it('never throws anything but a KmodError', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ maxLength: 50 }).map((value) => `[[registry]]\nlocation = ${JSON.stringify(value)}`),
    );

    fc.assert(
      fc.property(text, (input) => {
        expect(errorOf(() => parseRegistriesConf(input, 'fuzz.conf'))).toSatisfy(isFine);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('loadMirrors()', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mirrors-'));
    await mkdir(join(directory, 'system', 'registries.conf.d'), { recursive: true });
    await mkdir(join(directory, 'home', '.config', 'containers'), { recursive: true });
    const conf = (prefix: string, location: string): string =>
      `[[registry]]\nprefix = "${prefix}"\n[[registry.mirror]]\nlocation = "${location}"\n`;
    await writeFile(join(directory, 'system', 'registries.conf'), conf('quay.io', 'system.example'));
    await writeFile(
      join(directory, 'system', 'registries.conf.d', '10-a.conf'),
      conf('quay.io', 'a.example'),
    );
    await writeFile(
      join(directory, 'system', 'registries.conf.d', '20-b.conf'),
      conf('quay.io', 'b.example'),
    );
    await writeFile(join(directory, 'system', 'registries.conf.d', 'ignored'), conf('quay.io', 'no.example'));
    await writeFile(join(directory, 'idms.yaml'), IDMS);
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  it('lets the last drop-in file speak for a prefix', async () => {
    const rules = await loadMirrors({ ...where(directory), files: [] });

    expect(places(rules, 'quay.io/x', 'any')).toEqual(['b.example/x', 'quay.io/x']);
  });

  it('puts files that the user names beside those of the machine', async () => {
    const rules = await loadMirrors({ ...where(directory), files: [join(directory, 'idms.yaml')] });

    expect(places(rules, 'quay.io/x', 'any')).toEqual(['b.example/x', 'quay.io/x']);
    expect(places(rules, 'quay.io/openshift-release-dev/ocp-release', 'tag')).toEqual([
      'tags.example.com/ocp',
      'quay.io/openshift-release-dev/ocp-release',
    ]);
  });

  it('names a file that is not there', async () => {
    const loading = loadMirrors({ ...where(directory), files: ['/nonexistent/idms.yaml'] });

    await expect(loading).rejects.toMatchObject({
      code: 'MIRROR_INVALID',
      message: expect.stringContaining('/nonexistent/idms.yaml') as unknown,
    });
  });
});

function where(directory: string) {
  return { env: { HOME: join(directory, 'home') }, systemDirectory: join(directory, 'system') };
}

function named(name: string): RegistryReference {
  const reference = parseReference(name);
  if (reference.transport !== 'docker') throw new Error('not in a registry');
  return reference;
}

function places(rules: readonly MirrorRule[], name: string, by: AskedBy): readonly string[] {
  const found = findRule(rules, named(name));
  if (found === undefined) throw new Error(`no rule for ${name}`);
  return placesOf(found, named(name), by).map(({ host, repository }) => `${host}/${repository}`);
}

function rule(given: Partial<MirrorRule>): MirrorRule {
  return {
    prefix: 'quay.io',
    location: undefined,
    mirrors: [],
    mayContactSource: undefined,
    isInsecure: false,
    file: 'test',
    ...given,
  };
}

function mirror(location: string): MirrorRule['mirrors'][number] {
  return { location, pull: 'all', isInsecure: false };
}

function set(source: string, location: string): string {
  return JSON.stringify({
    kind: 'ImageDigestMirrorSet',
    spec: { imageDigestMirrors: [{ source, mirrors: [location] }] },
  });
}

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

function isFine(error: unknown): boolean {
  return error === undefined || error instanceof KmodError;
}
