import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignError } from '../../src/errors.ts';
import { appendSignature, splitSignature, stripSignature } from '../../src/sign/module-signature.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const plain = readModuleFixture('kl_provider.ko');
const signed = readModuleFixture('kl_provider.sha256.ko');
/** Where the twelve bytes before the marker begin. */
const trailerAt = signed.length - 28 - 12;

describe('splitSignature()', () => {
  it('parts what sign-file joined, and joins it again', () => {
    const { module, cms } = splitSignature(signed);

    expect(module.equals(plain)).toBe(true);
    expect(appendSignature(module, cms ?? Buffer.alloc(0)).equals(signed)).toBe(true);
  });

  it('finds no signature in an unsigned module', () => {
    expect(splitSignature(plain)).toEqual({ module: plain, cms: undefined });
  });

  it('takes a module for unsigned when a byte follows the marker, as the kernel does', () => {
    const { cms } = splitSignature(Buffer.concat([signed, Buffer.from('\n')]));

    expect(cms).toBeUndefined();
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('refuses a trailer whose field %d is wrong', (field) => {
    const bytes = Buffer.from(signed);
    bytes[trailerAt + field] = 1;

    expect(() => splitSignature(bytes)).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }));
  });

  it('refuses a length that leaves no module, and takes one byte less', () => {
    const bytes = Buffer.from(signed);
    bytes.writeUInt32BE(trailerAt, trailerAt + 8);
    expect(() => splitSignature(bytes)).toThrow('longer than the file');

    bytes.writeUInt32BE(trailerAt - 1, trailerAt + 8);

    expect(splitSignature(bytes).module).toHaveLength(1);
  });

  it('refuses a marker with nothing before it', () => {
    expect(() => splitSignature(Buffer.from('~Module signature appended~\n'))).toThrow('cut off');
  });

  it('throws nothing but its own errors for damaged modules', () => {
    const tail = signed.subarray(-200);

    fc.assert(
      fc.property(mutated(tail), (bytes) => {
        expect(splits(bytes)).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});

describe('stripSignature()', () => {
  it('takes off signatures that were appended to signatures', () => {
    const cms = splitSignature(signed).cms ?? Buffer.alloc(0);

    expect(stripSignature(appendSignature(signed, cms)).equals(plain)).toBe(true);
    expect(stripSignature(plain).equals(plain)).toBe(true);
  });
});

function splits(bytes: Buffer): boolean {
  try {
    stripSignature(bytes);
    return true;
  } catch (error) {
    return error instanceof SignError;
  }
}
