import { describe, expect, it } from 'vitest';
import { makeImageDigestMirrorSet, makeImageTagMirrorSet } from '../../src/manifests/mirror-set.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const OPTIONS = {
  name: 'acme',
  mirrors: [
    { source: 'quay.io/acme', mirrors: ['r.example.com:5000/acme', 'localhost:5000'], contactSource: false },
    { source: '*.example.org', mirrors: ['r.example.com/org'] },
  ],
};

describe.each([
  ['ImageTagMirrorSet', 'imageTagMirrors', 'imagetagmirrorsets.yaml', makeImageTagMirrorSet],
  ['ImageDigestMirrorSet', 'imageDigestMirrors', 'imagedigestmirrorsets.yaml', makeImageDigestMirrorSet],
] as const)('make%s()', (kind, key, definition, make) => {
  const check = crdCheck(definition, 'v1');

  it('has the mirrors in their order', () => {
    const set = make(OPTIONS);

    expectKept(set, check);
    expect(set).toEqual({
      apiVersion: 'config.openshift.io/v1',
      kind,
      metadata: { name: 'acme' },
      spec: {
        [key]: [
          {
            source: 'quay.io/acme',
            mirrors: ['r.example.com:5000/acme', 'localhost:5000'],
            mirrorSourcePolicy: 'NeverContactSource',
          },
          { source: '*.example.org', mirrors: ['r.example.com/org'] },
        ],
      },
    });
  });

  it.each<[object, string]>([
    [{ source: 'quay.io/a:tag' }, 'mirrors[0].source'],
    [{ source: 'quay.io/A' }, 'mirrors[0].source'],
    [{ source: 'https://quay.io' }, 'mirrors[0].source'],
    [{ source: '*' }, 'mirrors[0].source'],
    [{ source: `quay.io/a@sha256:${'a'.repeat(64)}` }, 'mirrors[0].source'],
    [{ mirrors: [] }, 'mirrors[0].mirrors'],
    [{ mirrors: ['*.a.b'] }, 'mirrors[0].mirrors[0]'],
    [{ mirrors: ['a//b'] }, 'mirrors[0].mirrors[0]'],
    [{ contactSource: 'no' }, 'mirrors[0].contactSource'],
  ])('refuses %j', (wrong, path) => {
    const mirrors = [{ source: 'quay.io', mirrors: ['r.example.com'], ...wrong }];

    expect(problemsOf(make, { name: 'acme', mirrors })).toEqual([path]);
  });

  it('refuses no mirrors at all, and a source that is there twice', () => {
    const twice = [OPTIONS.mirrors[0], OPTIONS.mirrors[0]];

    expect(problemsOf(make, { name: 'acme', mirrors: [] })).toEqual(['mirrors']);
    expect(problemsOf(make, { name: 'acme', mirrors: twice })).toEqual(['mirrors']);
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({ make, valid: OPTIONS, check });
  });
});
