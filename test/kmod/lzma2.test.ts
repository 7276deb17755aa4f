import { describe, expect, it } from 'vitest';
import { crc64 } from '../../src/kmod/crc64.ts';
import { decodeLzma2, type Lzma2Request } from '../../src/kmod/lzma2.ts';

/** 200 zeros, as xz packs them: one chunk that resets all, and the end. */
const ZEROS = Buffer.from('e000c700065d00006f6842580000', 'hex');

function decode(input: Buffer, outputBytes: number, changes: Partial<Lzma2Request> = {}): Buffer {
  const output = Buffer.alloc(outputBytes, 0xff);
  decodeLzma2({
    ...{ input, start: 0, end: input.length, output, outputStart: 0, outputEnd: outputBytes },
    dictionaryBytes: 4096,
    ...changes,
  });
  return output;
}

describe('decodeLzma2()', () => {
  it('unpacks chunks of LZMA and of plain bytes', () => {
    const plain = Buffer.from('0200026162630', 'hex');

    expect(decode(ZEROS, 200)).toEqual(Buffer.alloc(200));
    expect(decode(Buffer.from('0100026162630200006400', 'hex'), 4).toString()).toBe('abcd');
    expect(
      decode(Buffer.concat([ZEROS.subarray(0, -1), plain, Buffer.from([0])]), 203)
        .subarray(-3)
        .toString(),
    ).toBe('abc');
  });

  it.each([
    ['no end', '', 0, 'cut off'],
    ['a chunk that does not begin with a dictionary of its own', '020000aa00', 1, 'no known kind'],
    ['LZMA before any dictionary', 'a000c700065d00006f6842580000', 200, 'no known kind'],
    ['a control byte that means nothing', '010000aa0300', 1, 'no known kind'],
    [
      'LZMA after a new dictionary without properties',
      '010000aa8000c7000600006f6842580000',
      201,
      'no properties',
    ],
    ['properties out of bounds', 'e000c70006ff00006f6842580000', 200, 'out of bounds'],
    ['more literal bits than there are', 'e000c700062c00006f6842580000', 200, 'out of bounds'],
    ['a chunk that is cut off', 'e000c700065d00006f68', 200, 'cut off'],
    ['plain bytes that are cut off', '010005aa', 6, 'cut off'],
    ['more than was promised', '010001aabb00', 1, 'more than was promised'],
    ['less than was promised', '010000aa00', 2, 'less than was promised'],
    ['a chunk with a byte too much', 'e000c700075d00006f684258000000', 200, 'damaged'],
    ['a range that does not begin with zero', 'e000c700065d01006f6842580000', 200, 'cut off'],
    ['other data', 'e000c700065d0000ffffff580000', 200, 'damaged'],
  ])('refuses %s', (_what, hex, outputBytes, message) => {
    expect(() => decode(Buffer.from(hex, 'hex'), outputBytes)).toThrow(message);
  });

  it('refuses a match that reaches back further than the dictionary', () => {
    expect(() => decode(ZEROS, 200, { dictionaryBytes: 0 })).toThrow('damaged');
  });
});

describe('crc64()', () => {
  it('gives the check value of its catalogue', () => {
    expect(crc64(Buffer.from('123456789')).toString('hex')).toBe('fa3919dfbbc95d99');
  });
});
