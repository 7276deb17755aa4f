import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { digestOf, hexOf, isDigest, makeHasher, parseDigest } from '../../src/oci/digest.ts';
import { anyText } from '../support/any-text.ts';

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('parseDigest()', () => {
  it('reads what digestOf() makes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const digest = digestOf(bytes);

        expect(parseDigest(digest)).toBe(digest);
        expect(hexOf(digest)).toBe(createHash('sha256').update(bytes).digest('hex'));
      }),
    );
  });

  it.each([
    '',
    'sha256:',
    EMPTY.slice(0, -1),
    `${EMPTY}0`,
    `${EMPTY}\n`,
    ` ${EMPTY}`,
    EMPTY.toUpperCase(),
    EMPTY.replace('sha256', 'sha512'),
    EMPTY.replace('e3', '../'),
  ])('refuses %j', (text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
    expect(isDigest(text)).toBe(false);
  });

  it('shows at most 200 characters of what it refuses', () => {
    expect(() => parseDigest('x'.repeat(10_000))).toThrow(/^.{0,250}$/);
  });

  it('never throws anything but an OciError', () => {
    fc.assert(
      fc.property(anyText({ maxBytes: 100 }), (text) => {
        if (isDigest(text)) return;
        expect(() => parseDigest(text)).toThrow(OciError);
      }),
    );
  });
});

describe('makeHasher()', () => {
  it('gives the digest of the pieces', () => {
    const hasher = makeHasher();

    hasher.update(Buffer.from('con'));
    hasher.update(Buffer.from('tent'));

    expect(hasher.digest()).toBe(digestOf(Buffer.from('content')));
  });

  it('knows the digest of nothing', () => {
    expect(makeHasher().digest()).toBe(EMPTY);
  });
});
