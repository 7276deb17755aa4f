import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import {
  defaultRepository,
  findReleaseTag,
  OKD_RELEASE_REPOSITORY,
  parseReleaseName,
  RELEASE_REPOSITORY,
  requireLayering,
  tagsOf,
} from '../../src/resolve/release-reference.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

describe('findReleaseTag()', () => {
  it.each([
    ['4.18.4-x86_64', '4.18.4', false, 'x86_64'],
    ['4.18.4-aarch64', '4.18.4', false, 'aarch64'],
    ['4.12.0-ppc64le', '4.12.0', false, 'ppc64le'],
    ['4.22.9-s390x', '4.22.9', false, 's390x'],
    ['4.15.5-multi', '4.15.5', true, undefined],
    ['4.22.9-multi-s390x', '4.22.9', true, 's390x'],
    ['4.22.0-rc.1-x86_64', '4.22.0-rc.1', false, 'x86_64'],
    ['5.0.0-ec.2-multi', '5.0.0-ec.2', true, undefined],
    ['5.0.0-ec.2-multi-aarch64', '5.0.0-ec.2', true, 'aarch64'],
    ['4.21.0-0.nightly-2026-03-30-143812-x86_64', '4.21.0-0.nightly-2026-03-30-143812', false, 'x86_64'],
  ])('reads %s', (tag, version, isMulti, arch) => {
    const found = findReleaseTag(tag);

    expect(found).toEqual({ version, isMulti, arch });
  });

  it.each([
    '4.18.4',
    '4.22.0-okd-scos.7',
    '5.0.0-okd-scos.ec.3',
    '4.18-x86_64',
    '4.18.4-amd64',
    '4.18.4-x86_64-rhel-coreos',
    '4.18.4-multi-multi',
    'x86_64',
    'latest',
    '',
    `4.18.4-${'a'.repeat(500)}-x86_64`,
  ])('does not read %s', (tag) => {
    const found = findReleaseTag(tag);

    expect(found).toBeUndefined();
  });

  it('never takes a suffix for a part of the version', () => {
    const suffix = fc.constantFrom('x86_64', 'aarch64', 'multi', 'multi-s390x');
    const version = fc.constantFrom('4.18.4', '4.22.0-rc.1', '4.21.0-0.nightly-2026-03-30-143812', '4.12.99');
    fc.assert(
      fc.property(version, suffix, (version, suffix) => {
        expect(findReleaseTag(`${version}-${suffix}`)?.version).toBe(version);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('parseReleaseName()', () => {
  it('reads a version without an architecture', () => {
    const name = parseReleaseName('4.22.0-okd-scos.7', RELEASE_REPOSITORY);

    expect(name).toEqual({ kind: 'version', version: '4.22.0-okd-scos.7', isMulti: false, arch: undefined });
  });

  it('reads a digest as one of the release repository', () => {
    const digest = `sha256:${'a'.repeat(64)}`;

    const name = parseReleaseName(digest, RELEASE_REPOSITORY);

    expect(name).toEqual({ kind: 'image', reference: { ...RELEASE_REPOSITORY, digest } });
  });

  it.each(['oci:some/dir', 'oci-archive:file.tar:4.18.4', 'quay.io/a/b:tag', 'docker://quay.io/a/b:tag'])(
    'reads %s as an image',
    (text) => {
      const name = parseReleaseName(text, RELEASE_REPOSITORY);

      expect(name.kind).toBe('image');
    },
  );

  it.each(['4.18', '4.18.x', '>=4.18', 'stable-4.18', 'latest', ''])('refuses %j with a hint', (text) => {
    expect(() => parseReleaseName(text, RELEASE_REPOSITORY)).toThrow(
      expect.objectContaining({
        code: 'RELEASE_INVALID',
        hint: expect.stringContaining('4.18.4') as string,
      }) as Error,
    );
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseReleaseName(text, RELEASE_REPOSITORY);
        } catch (error) {
          expect(error).toBeInstanceOf(KmodError);
        }
      }),
      { numRuns: RUNS },
    );
  });
});

describe('tagsOf()', () => {
  const version = parseOpenShiftVersion('4.18.4');

  it('looks for the architecture first, then for the list, then for a tag without either', () => {
    const tags = tagsOf({ version, isMulti: false, arch: undefined }, 'aarch64');

    expect(tags).toEqual(['4.18.4-aarch64', '4.18.4-multi', '4.18.4']);
  });

  it('looks for OKD without an architecture first', () => {
    const okd = parseOpenShiftVersion('4.22.0-okd-scos.7');

    const tags = tagsOf({ version: okd, isMulti: false, arch: undefined }, 'x86_64');

    expect(tags[0]).toBe('4.22.0-okd-scos.7');
  });

  it('keeps to what a tag says', () => {
    const tags = [
      tagsOf({ version, isMulti: true, arch: undefined }, 'x86_64'),
      tagsOf({ version, isMulti: true, arch: 's390x' }, 's390x'),
      tagsOf({ version, isMulti: false, arch: 's390x' }, 's390x'),
    ];

    expect(tags).toEqual([['4.18.4-multi'], ['4.18.4-multi-s390x'], ['4.18.4-s390x']]);
  });
});

describe('defaultRepository()', () => {
  it.each([
    ['4.22.0-okd-scos.7', OKD_RELEASE_REPOSITORY],
    ['4.16.0-0.okd-scos-2024-01-01-000000', OKD_RELEASE_REPOSITORY],
    ['4.18.4', RELEASE_REPOSITORY],
    ['4.22.0-rc.1', RELEASE_REPOSITORY],
  ])('of %s', (version, repository) => {
    expect(defaultRepository(parseOpenShiftVersion(version))).toBe(repository);
  });
});

describe('requireLayering()', () => {
  it.each(['4.12.0', '4.12.0-rc.1', '5.0.0'])('takes %s', (version) => {
    expect(() => {
      requireLayering(parseOpenShiftVersion(version));
    }).not.toThrow();
  });

  it.each(['4.11.59', '4.6.0', '3.11.0'])('refuses %s', (version) => {
    expect(() => {
      requireLayering(parseOpenShiftVersion(version));
    }).toThrow(expect.objectContaining({ code: 'RELEASE_INVALID' }) as Error);
  });
});
