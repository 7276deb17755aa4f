import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import {
  formatReference,
  parseReference,
  pinned,
  type Reference,
  tagged,
  unpinned,
} from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { anyText } from '../support/any-text.ts';

const DIGEST = digestOf(Buffer.from('image'));

const optional = {
  tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/).map(parseTag),
  digest: fc.uint8Array().map(digestOf),
};
const registryReference = fc.record(
  {
    transport: fc.constant('docker' as const),
    host: fc.oneof(
      fc.domain(),
      fc.tuple(fc.domain(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`),
      fc.ipV4(),
      fc.constantFrom('localhost', 'localhost:5000', '[::1]:5000', '[fd00::1]'),
    ),
    repository: fc
      .array(fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/), {
        minLength: 1,
        maxLength: 4,
      })
      .map((components) => components.join('/')),
    ...optional,
  },
  { requiredKeys: ['transport', 'host', 'repository'] },
);
const layoutReference = fc.record(
  {
    transport: fc.constantFrom('oci' as const, 'oci-archive' as const),
    path: fc.stringMatching(/^[A-Za-z0-9 ./@_-]{1,40}$/),
    ...optional,
  },
  { requiredKeys: ['transport', 'path'] },
);
const reference: fc.Arbitrary<Reference> = fc.oneof(registryReference, layoutReference);

describe('parseReference()', () => {
  it('reads what formatReference() writes', () => {
    fc.assert(
      fc.property(reference, (expected) => {
        expect(parseReference(formatReference(expected))).toEqual(expected);
        expect(parseReference(formatReference(pinned(expected, DIGEST)))).toEqual(pinned(expected, DIGEST));
        expect(parseReference(formatReference(unpinned(expected)))).toEqual(unpinned(expected));
      }),
    );
  });

  it.each<[string, Reference]>([
    ['quay.io/a/b', { transport: 'docker', host: 'quay.io', repository: 'a/b' }],
    [
      'docker://quay.io/a/b:1',
      { transport: 'docker', host: 'quay.io', repository: 'a/b', tag: parseTag('1') },
    ],
    [
      `Localhost.example:5000/a:1@${DIGEST}`,
      {
        transport: 'docker',
        host: 'localhost.example:5000',
        repository: 'a',
        tag: parseTag('1'),
        digest: DIGEST,
      },
    ],
    ['oci:some/dir', { transport: 'oci', path: 'some/dir' }],
    ['oci:/a@b/dir:1', { transport: 'oci', path: '/a@b/dir', tag: parseTag('1') }],
    [`oci:dir@${DIGEST}`, { transport: 'oci', path: 'dir', digest: DIGEST }],
    ['oci-archive:a.tar:1', { transport: 'oci-archive', path: 'a.tar', tag: parseTag('1') }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    ['', 'REFERENCE_INVALID'],
    ['busybox', 'REFERENCE_INVALID'],
    ['library/busybox', 'REFERENCE_INVALID'],
    ['/a', 'REFERENCE_INVALID'],
    ['quay.io/', 'REFERENCE_INVALID'],
    ['quay.io/A', 'REFERENCE_INVALID'],
    ['quay.io/a//b', 'REFERENCE_INVALID'],
    ['quay.io/../b', 'REFERENCE_INVALID'],
    ['quay.io/a b', 'REFERENCE_INVALID'],
    ['quay.io:0/a', 'REFERENCE_INVALID'],
    ['quay.io:65536/a', 'REFERENCE_INVALID'],
    ['quay.io:x/a', 'REFERENCE_INVALID'],
    ['https://quay.io/a', 'REFERENCE_INVALID'],
    [`quay.io/${'a'.repeat(256)}`, 'REFERENCE_INVALID'],
    [`quay.io/${'a/'.repeat(3000)}a`, 'REFERENCE_INVALID'],
    ['quay.io/a\u0000', 'REFERENCE_INVALID'],
    ['quay.io/a\u007f', 'REFERENCE_INVALID'],
    ['oci:', 'REFERENCE_INVALID'],
    ['oci::tag', 'REFERENCE_INVALID'],
    ['quay.io/a:', 'TAG_INVALID'],
    ['oci:dir:', 'TAG_INVALID'],
    ['oci:dir:a:b', 'TAG_INVALID'],
    ['quay.io/a@', 'DIGEST_INVALID'],
    ['quay.io/a@sha256:12', 'DIGEST_INVALID'],
    ['oci:dir@sha256:12', 'DIGEST_INVALID'],
  ])('refuses %j', (text, code) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ name: 'OciError', code }));
  });

  it('does not show a password that stands in a URL', () => {
    expect(() => parseReference('https://me:hunter2@quay.io/a/b')).toThrow(/^(?!.*hunter2)/);
  });

  it('never throws anything but an OciError, and only canonical names come through', () => {
    const text = fc.oneof(
      anyText({ maxBytes: 80 }),
      fc.stringMatching(/^(?:oci:|docker:\/\/)?[a-zA-Z0-9.:/@_[\]-]{0,60}$/),
    );
    fc.assert(
      fc.property(text, (name) => {
        let parsed: Reference;
        try {
          parsed = parseReference(name);
        } catch (error) {
          expect(error).toBeInstanceOf(OciError);
          return;
        }
        expect(parseReference(formatReference(parsed))).toEqual(parsed);
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 300) },
    );
  });
});

describe('tagged()', () => {
  it('names the same place under a tag, without the digest', () => {
    const image = parseReference(`quay.io/a/b:1@${DIGEST}`);

    expect(formatReference(tagged(image, parseTag('2')))).toBe('quay.io/a/b:2');
  });
});
