import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ImageSetOptions, makeImageSetConfiguration } from '../../src/manifests/image-set.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const DIGEST = `sha256:${'4d'.repeat(32)}`;
const OPTIONS = {
  releases: [{ version: '4.18.4', channel: 'eus-4.18' }],
  arches: ['x86_64'],
  images: [`quay.io/acme/ice@${DIGEST}`],
};

type Mirror = ReturnType<typeof makeImageSetConfiguration>['mirror'];

/** What oc-mirror itself refuses: a channel that is there twice; and what it passes over without a word. */
function check(object: unknown): readonly string[] {
  const { platform, additionalImages = [] } = (object as { mirror: Mirror }).mirror;
  const channels = platform?.channels.map(({ name }) => name) ?? [];
  const both = additionalImages.map(({ name }) => parseReference(name));
  return [
    ...(new Set(channels).size === channels.length ? [] : ['a channel is there twice']),
    ...(both.every(({ tag, digest }) => (tag === undefined) !== (digest === undefined))
      ? []
      : ['tag and digest']),
  ];
}

const mirrorOf = (options: ImageSetOptions): Mirror => makeImageSetConfiguration(options).mirror;

describe('makeImageSetConfiguration()', () => {
  it('is what oc-mirror 2 reads', () => {
    expect(makeImageSetConfiguration(OPTIONS)).toEqual({
      kind: 'ImageSetConfiguration',
      apiVersion: 'mirror.openshift.io/v2alpha1',
      mirror: {
        platform: {
          architectures: ['amd64'],
          channels: [{ name: 'eus-4.18', type: 'ocp', minVersion: '4.18.4', maxVersion: '4.18.4' }],
        },
        additionalImages: [{ name: `quay.io/acme/ice@${DIGEST}` }],
      },
    });
  });

  it('has each channel once, from the oldest to the newest release', () => {
    const versions = ['4.18.10', '4.18.9', '4.19.0', '4.20.0-rc.1', '4.18.4', '4.20.0-ec.2', '4.19.0'];

    const { platform } = mirrorOf({ releases: versions.map((version) => ({ version })) });

    expect(
      platform?.channels.map(({ name, minVersion, maxVersion }) => [name, minVersion, maxVersion]),
    ).toEqual([
      ['stable-4.18', '4.18.4', '4.18.10'],
      ['stable-4.19', '4.19.0', '4.19.0'],
      ['candidate-4.20', '4.20.0-ec.2', '4.20.0-rc.1'],
    ]);
  });

  it('names architectures as Go does, each once, and needs no releases', () => {
    const releases = [{ version: '4.18.4' }];
    const arches = ['aarch64', 'x86_64', 'arm64'];

    expect(mirrorOf({ releases, arches }).platform?.architectures).toEqual(['amd64', 'arm64']);
    expect(mirrorOf({ images: ['quay.io/acme/ice:1'] })).toEqual({
      additionalImages: [{ name: 'quay.io/acme/ice:1' }],
    });
  });

  it.each([
    [{}, ['releases']],
    [{ releases: [], images: [] }, ['releases']],
    [{ releases: [{ version: '4.18' }] }, ['releases[0].version']],
    [{ releases: [{ version: '4.22.0-okd-scos.7' }] }, ['releases[0].version']],
    [{ releases: [{ version: '4.18.4', channel: 'okd' }] }, ['releases[0].channel']],
    [{ images: ['quay.io/acme/ice'] }, ['images[0]']],
    [{ images: ['oci:dir:tag'] }, ['images[0]']],
  ])('refuses %j', (options, paths) => {
    expect(problemsOf(makeImageSetConfiguration, options)).toEqual(paths);
  });

  it('never has a name with both tag and digest, or with neither', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const name = fc
      .tuple(part, part, fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/)), fc.boolean())
      .filter(([, , tag, hasDigest]) => tag !== null || hasDigest)
      .map(([host, path, tag, hasDigest]) =>
        [`${host}.example.com/${path}`, tag === null ? '' : `:${tag}`, hasDigest ? `@${DIGEST}` : ''].join(
          '',
        ),
      );
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 10 }), (images) => {
        const made = parse(toYaml([makeImageSetConfiguration({ images })])) as { mirror: Mirror };

        const names = made.mirror.additionalImages?.map((image) => image.name) ?? [];
        expect(check(made)).toEqual([]);
        expect(new Set(names)).toEqual(
          new Set(images.map((image) => (image.includes('@') ? image.replace(/:[^:@]*@/, '@') : image))),
        );
      }),
    );
  });

  it('refuses or renders any value of any option', () => {
    expectKept(makeImageSetConfiguration(OPTIONS), check);
    expectRefusedOrValid({ make: makeImageSetConfiguration, valid: OPTIONS, check });
  });
});
