import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readManifests } from '../../../src/verify/manifest/read-manifests.ts';
import { findingsOf, machineConfig, reportOf, withFile } from '../../support/lint.ts';

const problemOf = (text: string): string | undefined => readManifests('a.yaml', text).problems[0]?.message;
const valueOf = (text: string): unknown =>
  readManifests('a.yaml', `kind: A\n${text}`).manifests[0]?.value['x'];

describe('readManifests()', () => {
  it.each([
    ['x: 0644', 420],
    ['x: 0o644', 420],
    ['x: "0644"', '0644'],
    ['x: yes', true],
    ['x: "yes"', 'yes'],
    ['x: 1e3', 1000],
    ['x: ~', null],
    ['x: 0493', 493],
  ])('reads %s as the tools of Kubernetes do', (text, value) => {
    expect(valueOf(text)).toBe(value);
  });

  it('reads merge keys, and keys that objects have of their own', () => {
    expect(valueOf('a: &a { b: 1, c: 2 }\nx: { <<: *a, c: 3 }')).toEqual({ b: 1, c: 3 });
    expect(valueOf('x: { __proto__: 1, constructor: 2 }')).toHaveProperty('__proto__', 1);
  });

  it('finds objects in documents, lists and policies', () => {
    const names = (text: string): readonly string[] =>
      readManifests('a.yaml', text).manifests.map(({ kind, document }) => `${document} ${kind}`);

    expect(names('kind: A\n---\nkind: B\n---\n')).toEqual(['1 A', '2 B']);
    expect(names('{ kind: List, items: [{ kind: A }, { kind: BList, items: [{ kind: B }] }] }')).toEqual([
      '1 A',
      '1 B',
    ]);
    expect(
      names(
        'kind: Policy\nspec: { policy-templates: [{ objectDefinition: { kind: ConfigurationPolicy, spec: { object-templates: [{ objectDefinition: { kind: A } }] } } }] }',
      ),
    ).toEqual(['1 Policy', '1 ConfigurationPolicy', '1 A']);
  });

  it.each([
    ['broken YAML', 'a: [1', 'Cannot read this YAML'],
    ['an alias to nowhere', 'a: *b', 'no anchor'],
    ['an alias to what it is in', 'a: &a [*a]', 'no anchor'],
    [
      'aliases that multiply',
      `${'a b c d e f g h i j'
        .split(' ')
        .map(
          (name, at) =>
            `${name}: &${name} [${at === 0 ? 'x, x' : Array.from({ length: 9 }, () => `*${'abcdefghij'[at - 1] ?? ''}`).join(', ')}]`,
        )
        .join('\n')}\n`,
      'multiply beyond all measure',
    ],
    ['deep nesting', `a: ${'['.repeat(200)}${']'.repeat(200)}`, 'nests deeper than 100 levels'],
    ['nesting without an end', '['.repeat(100_000), 'Cannot read this YAML'],
  ])('refuses %s', (_, text, message) => {
    expect(problemOf(text)).toContain(message);
  });

  it('names the line of what is broken', () => {
    expect(readManifests('a.yaml', 'a: 1\nb: [1\nc: ]').problems[0]).toMatchObject({ line: 3 });
  });

  it('takes lines of a megabyte and mappings of many keys', () => {
    const keys = Array.from({ length: 20_000 }, (_, at) => `  key${at}: 1`).join('\n');

    expect(findingsOf(withFile(`contents: { source: "data:,${'a'.repeat(1_000_000)}" }`))).toEqual([
      'apply-limit warning 1 ',
    ]);
    expect(readManifests('a.yaml', `kind: A\nx:\n${keys}`).manifests).toHaveLength(1);
  });

  it('unpacks no bomb to its end', () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000)).toString('base64');
    const text = withFile(`contents: { source: "data:;base64,${bomb}", compression: gzip }`);

    expect(findingsOf(text)).toContain(
      'contents-large warning 10 spec.config.storage.files[0].contents.source',
    );
  });
});

describe('Source lines', () => {
  const SECRET = 'aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI';

  it.each([
    ['a data URL', withFile(`mode: 644\ncontents: { source: "data:;base64,${SECRET}" }`)],
    ['a data URL before on the line', withFile(`contents: { source: "data:;base64,${SECRET}" }\nmode: 644`)],
    [
      'a flow mapping',
      withFile(`{ contents: { source: "data:;base64,${SECRET}" }, mode: 644 }`).replace(
        '    - path: /etc/x.conf\n',
        '    -\n',
      ),
    ],
    ['a password', machineConfig(`passwordHash: ${SECRET}`)],
    [
      'a token in a unit',
      machineConfig(
        `config:\n  ignition: { version: 3.2.0 }\n  systemd:\n    units:\n      - name: a.service\n        contents: |\n          [Service]\n          Environment=TOKEN=${SECRET} 100%`,
      ),
    ],
    ['a folded data URL', withFile(`contents:\n  source: >-\n    data:;base64,${SECRET}\n    ${SECRET}!`)],
    [
      'JSON on one line',
      JSON.stringify({
        apiVersion: 'machineconfiguration.openshift.io/v1',
        kind: 'MachineConfig',
        metadata: { name: 'a' },
        spec: {
          config: {
            ignition: { version: '3.9.0' },
            storage: {
              files: [{ path: '/etc/a', contents: { source: `data:;base64,${SECRET}` }, mode: 644 }],
            },
          },
        },
      }),
    ],
  ])('never show what is in %s', (_, text) => {
    const { findings } = reportOf(text);

    expect(findings.length).toBeGreaterThan(0);
    expect(JSON.stringify(findings)).not.toContain(SECRET);
  });
});
