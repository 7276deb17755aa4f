import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignError } from '../../src/errors.ts';
import { DER, readDer, readDerChildren, readOid, writeDer, writeOid } from '../../src/sign/der.ts';
import { fuzzRuns } from '../kmod/fuzz.ts';

describe('readDer()', () => {
  it.each([0, 1, 127, 128, 255, 256, 65_535, 65_536])('reads back a value of %d bytes', (length) => {
    const content = Buffer.alloc(length, 7);

    const element = readDer(Buffer.concat([writeDer(DER.octetString, content), Buffer.from('rest')]));

    expect(element.tag).toBe(DER.octetString);
    expect(element.content.equals(content)).toBe(true);
  });

  it.each([
    ['nothing', []],
    ['a tag alone', [0x30]],
    ['an indefinite length', [0x30, 0x80, 0, 0]],
    ['a length of five bytes', [0x30, 0x85, 0, 0, 0, 0, 1, 0]],
    ['a length that is cut off', [0x30, 0x82, 1]],
    ['a length with leading zeros', [0x30, 0x82, 0, 1, 0]],
    ['a long length for a short value', [0x30, 0x81, 1, 0]],
    ['a value that is cut off', [0x04, 3, 1, 2]],
    ['a tag of several bytes', [0x3f, 0x81, 1, 0]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => readDer(Buffer.from(bytes))).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }));
  });

  it('refuses more values side by side than a certificate ever has', () => {
    const element = readDer(writeDer(DER.sequence, Buffer.alloc(4000)));

    expect(() => readDerChildren(element)).toThrow('too many values');
  });

  it('throws nothing but its own errors, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(walks(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});

describe('readOid()', () => {
  it.each(['1.2.840.113549.1.7.2', '2.5.4.3', '0.9.2342.19200300.100.1.25', '2.999.3', '1.3.14.3.2.26'])(
    'reads back %s',
    (oid) => {
      expect(readOid(readDer(writeOid(oid)))).toBe(oid);
    },
  );

  it('writes the bytes that X.690 gives as an example', () => {
    expect(writeOid('2.999.3').toString('hex')).toBe('0603883703');
  });

  it.each([
    ['cut off', '06028837'.slice(0, 4) + '88ff'],
    ['beyond measure', '0607ffffffffffff7f'],
  ])('refuses one that is %s', (_what, hex) => {
    expect(() => readOid(readDer(Buffer.from(hex, 'hex')))).toThrow(SignError);
  });
});

function walks(bytes: Buffer): boolean {
  try {
    const element = readDer(bytes);
    for (const child of readDerChildren(element)) {
      readDerChildren(child);
      if (child.tag === DER.oid) readOid(child);
    }
    return true;
  } catch (error) {
    return error instanceof SignError;
  }
}
