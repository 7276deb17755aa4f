import { describe, expect, it } from 'vitest';
import { makeBuilds } from '../../src/compile/builds.ts';
import { type KmmBuild, readKmmModule } from '../../src/compile/kmm-module.ts';
import { makeRequest } from './requests.ts';

const KERNEL = '5.14.0-427.50.1.el9_4.x86_64';

const MODULE = `
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: Module
metadata: { name: acme, namespace: openshift-kmm }
spec:
  moduleLoader:
    container:
      modprobe: { moduleName: acme }
      build:
        buildArgs: [{ name: A, value: outer }, { name: B, value: outer }, { name: MOD_NAME, value: mine }]
        secrets: [{ name: token }]
        dockerfileConfigMap: { name: outer }
      kernelMappings:
        - literal: 5.14.0-1.el9.x86_64
          containerImage: quay.io/acme/driver:old
        - regexp: '^5\\.14\\.0-427\\..*\\.x86_64$'
          containerImage: quay.io/acme/driver:\${KERNEL_FULL_VERSION}
          build:
            buildArgs: [{ name: Z, value: inner }, { name: C, value: inner }, { name: A, value: inner }]
            secrets: [{ name: other }]
            dockerfileConfigMap: { name: inner }
        - regexp: .*
          containerImage: quay.io/acme/driver:any
---
apiVersion: v1
kind: ConfigMap
metadata: { name: outer }
data: { dockerfile: "FROM outer\\n" }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: inner }
data:
  dockerfile: |
    ARG DTK_AUTO
    FROM \${DTK_AUTO} AS builder
    RUN make \\
      RUNNER=1
    run cp a.ko /opt
`;

function read(kernel = KERNEL, text = MODULE, name?: string): KmmBuild {
  return readKmmModule(text, { file: 'module.yaml', kernel, name });
}

describe('readKmmModule()', () => {
  it('merges what container and mapping say, as KMM does', () => {
    const build = read();

    expect(Object.entries(build.args)).toEqual([
      ['A', 'inner'],
      ['B', 'outer'],
      ['C', 'inner'],
      ['Z', 'inner'],
    ]);
    expect(build).toMatchObject({ name: 'acme', namespace: 'openshift-kmm', secrets: ['token', 'other'] });
    expect(build.containerfile).toContain('FROM ${DTK_AUTO} AS builder');
  });

  it('takes the first mapping that matches, literal or regexp; a "+" at the end of a kernel is nothing', () => {
    expect(read('5.14.0-1.el9.x86_64').containerfile).toBe('FROM outer\n');
    expect(read('5.14.0-1.el9.x86_64+').containerfile).toBe('FROM outer\n');
    expect(read('6.12.0-1.el10.x86_64').args['A']).toBe('outer');
  });

  it.each<readonly [string, string, string, string]>([
    [
      'no kernel of',
      MODULE.replace('regexp: .*', 'regexp: ^6$'),
      'KERNEL_EXCLUDED',
      'its mappings are for 5.14.0-1.el9.x86_64, ',
    ],
    [
      'the ConfigMap of',
      MODULE.replace('name: outer }\ndata', 'name: x }\ndata'),
      'SOURCE_UNREADABLE',
      'there is no ConfigMap outer',
    ],
    ['any Module in', 'kind: Module\n', 'SOURCE_UNREADABLE', 'there is no Module'],
    ['YAML in', 'a: [', 'SOURCE_UNREADABLE', 'Cannot build from module.yaml'],
    ['a pattern in', MODULE.replace('regexp: .*', 'regexp: "("'), 'SOURCE_UNREADABLE', 'cannot be read'],
  ])('says when it does not find %s the file', (_, text, code, message) => {
    expect(() => read('7.0.0-1', text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error,
    );
  });

  it('asks which one is meant when there are several', () => {
    const two = `${MODULE}---\n${MODULE.split('---')[0]?.replace('name: acme,', 'name: beta,') ?? ''}`;

    expect(() => read(KERNEL, two)).toThrow('there are the Modules acme, beta');
    expect(read(KERNEL, two, 'beta').name).toBe('beta');
  });
});

describe('makeBuilds() of a Module', () => {
  const build = { type: 'module', args: { B: 'spec' }, output: undefined } as const;
  const inputs = { context: undefined, image: 'f00d', userContainerfile: undefined, kmm: read() };
  const secrets = [
    { id: 'token.key', file: '/key' },
    { id: 'other', file: '/other' },
  ];

  it('gives the arguments of KMM, which nobody overrides, and mounts its Secrets in every step', () => {
    const [check, user, collect] = makeBuilds(makeRequest({ ...build, secrets }), inputs);

    expect(user?.args).toMatchObject({
      A: 'inner',
      B: 'spec',
      KERNEL_FULL_VERSION: '5.14.0-427.50.1.el9_4.x86_64+rt',
      KERNEL_VERSION: '5.14.0-427.50.1.el9_4.x86_64+rt',
      MOD_NAME: 'acme',
      MOD_NAMESPACE: 'openshift-kmm',
      DTK_AUTO: 'f00d',
    });
    expect(user?.context).toBeUndefined();
    const mounts =
      '--mount=type=secret,id=token.key,target=/run/secrets/token/key --mount=type=secret,id=other,target=/run/secrets/other';
    expect(user?.containerfile).toContain(`RUN ${mounts} make \\\n  RUNNER=1\nrun ${mounts} cp a.ko /opt`);
    expect([check.secrets, collect?.secrets]).toEqual([[], []]);
  });

  it('says which Secret the spec does not bring', () => {
    expect(() => makeBuilds(makeRequest({ ...build, secrets: [] }), inputs)).toThrow(
      'mounts the Secret "token"',
    );
  });
});
