import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { compressModule, decompressModule, detectCompression } from '../../src/kmod/compression.ts';
import { fuzzRuns, mutated } from './fuzz.ts';
import { readModuleFixture } from './fixtures.ts';

const plain = readModuleFixture('kl_provider.ko');

describe.each(['gz', 'xz', 'zst'] as const)('decompressModule() of a .%s', (compression) => {
  const packed = readModuleFixture(`kl_provider.ko.${compression}`);

  it('gives the bytes that were packed', async () => {
    const unpacked = await decompressModule(packed);

    expect(detectCompression(packed)).toBe(compression);
    expect(unpacked.equals(plain)).toBe(true);
  });

  it('gives them with just enough room, and refuses with one byte less', async () => {
    const unpacked = await decompressModule(packed, { maxBytes: plain.length });

    expect(unpacked.equals(plain)).toBe(true);
    await expect(decompressModule(packed, { maxBytes: plain.length - 1 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('refuses every file that is cut off, and still works afterwards', async () => {
    const lengths = [7, 12, 40, 100, packed.length >> 1, packed.length - 9, packed.length - 1];

    for (const length of lengths) {
      await expect(decompressModule(packed.subarray(0, length))).rejects.toMatchObject({
        code: 'COMPRESSION_INVALID',
      });
    }

    expect((await decompressModule(packed)).equals(plain)).toBe(true);
  });

  it('never gives other bytes for a damaged file', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(packed), async (bytes) => {
        const result = await decompressModule(bytes, { maxBytes: 2 ** 20 }).catch((error: unknown) => error);

        expect(
          result instanceof KmodError ||
            (Buffer.isBuffer(result) && (result.equals(plain) || detectCompression(bytes) === 'none')),
        ).toBe(true);
      }),
      { numRuns: fuzzRuns(150) },
    );
    expect((await decompressModule(packed)).equals(plain)).toBe(true);
  });
});

describe('decompressModule()', () => {
  it('gives an uncompressed module as it is', async () => {
    expect((await decompressModule(plain)).equals(plain)).toBe(true);
  });

  it('refuses a bomb of gzip without unpacking it', async () => {
    const bomb = gzipSync(Buffer.alloc(2 ** 26));

    await expect(decompressModule(bomb, { maxBytes: 2 ** 20 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('refuses a bomb of zstd whose header does not tell its size', async () => {
    const blocks = Array.from({ length: 1000 }, (_, index) => runOfZeros(index === 999));
    const bomb = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), ...blocks]);

    await expect(decompressModule(bomb, { maxBytes: 2 ** 20 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('unpacks zstd whose header does not tell its size', async () => {
    const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), runOfZeros(true)]);

    const unpacked = await decompressModule(frame);

    expect(unpacked.equals(Buffer.alloc(131_072))).toBe(true);
  });

  it('refuses a zstd header that promises more than the blocks can hold', async () => {
    const descriptor = 0xe0;
    const frame = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, 0, 0, 0, 1, 0, 0, 0, 0]),
      runOfZeros(true),
    ]);

    await expect(decompressModule(frame)).rejects.toMatchObject({ code: 'COMPRESSION_INVALID' });
  });

  it('refuses two xz streams in one file, of which other readers see one', async () => {
    const packed = readModuleFixture('kl_provider.ko.xz');

    await expect(decompressModule(Buffer.concat([packed, packed]))).rejects.toThrow('more than one stream');
  });

  it('says which check of xz it does not know', async () => {
    const packed = Buffer.from(readModuleFixture('kl_provider.ko.xz'));
    packed[7] = 0x0b;

    await expect(decompressModule(packed)).rejects.toMatchObject({ code: 'COMPRESSION_UNSUPPORTED' });
  });
});

describe('decompressModule() of xz', () => {
  it.each([
    // `xz -c kl_consumer.c` with the options that are named.
    [
      '--check=crc64',
      '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ATrAnhdABfgfKZQIR8ZZSvz52C5XX+eeVgO24r49a5473MLq8r00eN+inxzxTLOFdxS2rKGETyFvg6zgFQACgPC/L2UvAFqvuFmYkczNsAT17GABSlyYYsB4aJ9xFJ1fGmU1QKVfvuuxVKnkjYbgyiH+nNgyknaLLQO/FEleBrLcUk8DFVtJMzBpDW2jpYkLKd8jHwlOqKf3vB8qII4eYIr9tmhp/r6V8JM5tkKnsdpf36fAce4co5QNuC0Q1rJBbIgoaVGnNrPM+bLLB7hBaEGb+4quZEJz/CJNPiZW/YyDIyMUSn4F3+tl68Q01NfyT9CMv6R414BOciK6LyWixTc391cfrNJ2DKaVHKNOUPX5uAk5v2/cuw+NnCjbFM/6oR+GrEVeK4eKLmoHtbLQs/GvE3xsC8XbusI/zl5PQT8zJKnMveX49HJP/NVk7SYkI9taIJAM4H/L9cEmkMLzIFSL82jsEgq6ldhV0dWfh8n1ySrRiDpfJSxgjkGubOW4d5o3h9/wWrGf4WstdftAIsmgnWNfTL2Eh8MwmySBxHCetnl1B4iYSh5eW9N4pgU2OfbNgiImXRlDAajbu6tizBBmYd50XEwhFzHsnD8HoI38+lF0R4330184px/pR3DRfBPR6eq2O3br9pY1EVh8FmhU/O2nDw3ntJBF5AiFYFBDSQxI5kSXtN+ZUlzItVo2LvZz0nA4CrjcDmzNUI5kdwqOmnz9GkFkwiPVtCrXt35VFkOFeuvXl1SswckZQjpktRWK8VtHMuN0qLdI91itZ/O0TrOT6u3dSODxht6GwD/B2gavrzcmwKwU+vIr6YYTPDfh5pnCjnq9BaGGbZGAEkpMc/VSKPhAAGUBewJAAD3yjoescRn+wIAAAAABFla',
    ],
    [
      '--check=none',
      '/Td6WFoAAAD/EtlBAgAhARYAAAB0L+Wj4ATrAnhdABfgfKZQIR8ZZSvz52C5XX+eeVgO24r49a5473MLq8r00eN+inxzxTLOFdxS2rKGETyFvg6zgFQACgPC/L2UvAFqvuFmYkczNsAT17GABSlyYYsB4aJ9xFJ1fGmU1QKVfvuuxVKnkjYbgyiH+nNgyknaLLQO/FEleBrLcUk8DFVtJMzBpDW2jpYkLKd8jHwlOqKf3vB8qII4eYIr9tmhp/r6V8JM5tkKnsdpf36fAce4co5QNuC0Q1rJBbIgoaVGnNrPM+bLLB7hBaEGb+4quZEJz/CJNPiZW/YyDIyMUSn4F3+tl68Q01NfyT9CMv6R414BOciK6LyWixTc391cfrNJ2DKaVHKNOUPX5uAk5v2/cuw+NnCjbFM/6oR+GrEVeK4eKLmoHtbLQs/GvE3xsC8XbusI/zl5PQT8zJKnMveX49HJP/NVk7SYkI9taIJAM4H/L9cEmkMLzIFSL82jsEgq6ldhV0dWfh8n1ySrRiDpfJSxgjkGubOW4d5o3h9/wWrGf4WstdftAIsmgnWNfTL2Eh8MwmySBxHCetnl1B4iYSh5eW9N4pgU2OfbNgiImXRlDAajbu6tizBBmYd50XEwhFzHsnD8HoI38+lF0R4330184px/pR3DRfBPR6eq2O3br9pY1EVh8FmhU/O2nDw3ntJBF5AiFYFBDSQxI5kSXtN+ZUlzItVo2LvZz0nA4CrjcDmzNUI5kdwqOmnz9GkFkwiPVtCrXt35VFkOFeuvXl1SswckZQjpktRWK8VtHMuN0qLdI91itZ/O0TrOT6u3dSODxht6GwD/B2gavrzcmwKwU+vIr6YYTPDfh5pnCjnq9BaGGbZGAAABjAXsCQAAAUq/8agACvwCAAAAAABZWg==',
    ],
    [
      '--check=crc32 --lzma2=preset=9,lc=0,lp=4,pb=0',
      '/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4ATrArgkABfheKEdoP25eDCqvODMfmmpV1Wc/6sFuX/9NPgGq7n/D9cDUKzwBmY9prozF50zpYXtDWqxxWIXVD222F+QFXKXtkmbKw8wLOCdk6Teq/xoToY5T6XP4DVSPd7piWgG7uQyhTVFE1GM1hN6lFi7I5SUTDYXXJ5q+cU36ViljrYMX9jlWuwveTYAqwSkZK/iYkgzUkxiHpUcHQfQNdxBsVqfKOUU+cwCLLbDqFT0nxjkE1tpE5yn+9Lve2KMVpR3iH56tDrpSHMMksdOnw1NRKIDcySgslfgo0B0qbHhRzQ7IK58n1veYx/BhDw6+iURnhaj9V2El2wO2M9N4wwahQWmNnfbLm4bjRUACy/iUVQfy6f02lu1PoR1zq3rkgsOKpkC4txD1NgKd2cM8L7T1frvlNFeQ0y2XApfgEl4EgM/F4NmJdEcW5VvidQCTbAR9xI/sicyX1KfvhCj+8iEYmvUgLLM47CrPC5OznAZZeaeuD878kZm7JUKitT2/Cv/NMv7dZpn76XoCXrb8ahBbQk+offI0hVext+gpjGK97ybZMXREeTUwKsIfofs/yRW+MXR2Y6D5/UIdo5sfB6/AqKNZds2qxIEKVSpkWPr2dyxL8DZOxSzI1D1kh6ZO/I5wVShW7MrpAoQ6Xe06vzImCiBH3OJBnTziOvMv8P1pLbwyTUkEPM0OsRUYJizJHxKMOyPLfoKD80MkLgPg26dhOtkTITjIGBEyap7llclE8BAfAaYfNwIz4IZnDmwea34rrdi8so/vRn7H8+nK1T8scbFWZjxj4gIizOESMW6xD6QJ9nUvoKbJjVEg6lKxH+7BOOM6c+ps0lboBoqjnZ8pFwQ2CpUaz8noNXNhW+Kq0ufHfB8dp5Iu2s10mcBG/WV51oC1lR6OjHt02LzPK+eIF5UbpAwaBcMUwD4IpxiAAHQBewJAACNgvOKPjANiwIAAAAAAVla',
    ],
    [
      '--check=crc32 --block-size=400',
      '/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AGPAPBdABfgfKZQIR8ZZSvz52C5XX+eeVgO24r49a5473MLq8r00eN+inxzxTLOFdxS2rKGETyFvg6zgFQACgPC/L2UvAFqvuFmYkczNsAT17GABSlyYYsB4aJ9xFJ1fGmU1QKVfvuuxVKnkjYbgyiH+nNgyknaLLQO/FEleBrLcUk8DFVtJMzBpDW2jpYkLKd8jHwlOqKf3vB8qII4eYIr9tmhp/r6V8JM5tkKnsdpf36fAce4co5QNuC0Q1rJBbIgoaVGnNrPM+bLLB7hBaEGb+4quZEJz/CJNPiZW/YyDIyMUSn4F3+tl68Q01NfyT51MWmuAAB5pRf4AgAhARYAAAB0L+Wj4AGPAQ1dADgYSqqcBl+0qZPVmgQ54kJb+ymwZXGo1KJohsICTuT6X2HGGumTGNbPjgiwO5l3jBLaJFeK9ig+m2kMIuyV8Y8zjkP/Mnw9cUvjLDimHtsvpE3ckPa772KAjPaeAsFzqGkVEPmN2/mEK3WPrQoo13BCIkGWAwQN4andY798Y7s181mxBnUotMRSjjbUbU7zg5V2lGLETo7+qGzNK5blnmcb+KeBEmRqrLPU6T5ZugZG8s1l7hmaiz+LDbjpTm9XRwfkNW4DbkszvFRZbP/AanuxgO3/GhBt4ccUj6j4qVeaTzRbE6j/YG9kCimQsmu2BZKcDF3vXM5dWhyoptEjuw/OVo0Yegu5G2EKOhcBAAAAAPfqqeMCACEBFgAAAHQv5aPgAY8A910AGQpAIkJ8UGI3g6sCpjJCyxPzvsI2gpUl/bek3l6Lc3dqUf8r8xRFgs0Uky8PcJetc1zqYcvi/xnrPt6RTZP7WmIhuORSFTYhvPJZ7aWbIeCB8VbX1glB6aDQCEkzN3BzntJ1KJwSn8+UFQseY1CNX/awDKivaxkm46Hzc5DKhO1fLcfk6kXcbUKtj4usqQgUeaRTuMc359NvsTe4F6KmG95ZR+Qc/H+fh9ogRKABXAVJtdfq9Dlkvfukgzg7MwsUnHFQrDc59/VgwMLC3+kuSOc87Y/PLUFeoledBZ0ghKkj0bv6jQmGCSGktQ82PXSW70luqlrAAAAA460ddwIAIQEWAAAAdC/lowEAO1RERVAoInByZTogZHVtbXkgcG9zdDogbG9vcCIpOwpNT0RVTEVfQUxJQVMoImtsLWNvbnN1bWVyIik7CgAQCQyuAASIApADpQKQA48CkANQPIhCl4Mj01RdBAAAAAABWVo=',
    ],
    [
      '--check=crc32 --lzma2=preset=0,mode=fast',
      '/Td6WFoAAAFpIt42AgAhAQwAAACPmEGc4ATrAoldABeLwCU2xZiDx2XWCNsjqJyf8lT9Qhg4LHuvzKqdvjOG6m2dXsI3NML+qht2EWZkkiAeRbFWi3BgoGlhsOjPnLSECCjOFo1TFU1WM8nWbFWfFw9SDzQWzl84bOy8o+p7y4Mk8HR0ysfgBWjkLR5BUCLgz2cZRDElhHyS9yteIOr199logbtqoftalC8Ctd27PfTxECTnuToFf9j4R1JlpAuh7qybC8wJ+0/8/coobqGey1hwLE18dwJRVeQnwaaxkW1oJkW/kN3icCT2SOklf6ylj2GQe8qwrbym3apGS9s6ns47hKUI+FlPvUckKJJDN2UM+x2wruuZP4uM/fQBzVpWfkBvxWss4kiig+FVxZsqYIwdEmRadaiosxlMyL1sRNOCLTBaZZq7qIWgJtm3vzgBZJ8PO+pEWrlfdqctFIBCJDJJcxmlJ2OtdwLkTV4EaAJSN8Cze90ZgnC08cJ30xSydjEX0iQMkFPbT/fkUa3vfCNDzu2UjHRoDqDCpiSzsLqgqTSbh+x97WlTQC/OZ14VFCXuHtUNOouMyH+I1U7NTtNsYGFNseYT65sZBhrp+JRtMKzrVfTi+OqFws3Z849PDsXGSfL+bR9BVv4ZrL/LBRE57zQ4Hmf3m1XNqpyfZE/dNiFRuA6lG58Nw6PuMWzYRhYSl1Z5/3IGtFta4n+pAApLC6QF4gMy/7JaueRReDlaH725Z/Uwy7UP7WnIp2VWIjhretuTZ0/rInJiSskmWIcI2kDGHNPWk8+WPkhY29xVpqpt0Y0eZIkVrmTKj1rhE72OFgVQE69z6qkZnB7mk5pao8pgTAfTyqcl+RL+nHsKrexv5Rhdh0WNr2rUgNU4j/ibySFxxgAAAAAA+CKcYgABoQXsCQAA6VyNSj4wDYsCAAAAAAFZWg==',
    ],
    [
      '--check=crc32 --lzma2=dict=128MiB',
      '/Td6WFoAAAFpIt42AgAhAR4AAACbB1Fm4ATrAnhdABfgfKZQIR8ZZSvz52C5XX+eeVgO24r49a5473MLq8r00eN+inxzxTLOFdxS2rKGETyFvg6zgFQACgPC/L2UvAFqvuFmYkczNsAT17GABSlyYYsB4aJ9xFJ1fGmU1QKVfvuuxVKnkjYbgyiH+nNgyknaLLQO/FEleBrLcUk8DFVtJMzBpDW2jpYkLKd8jHwlOqKf3vB8qII4eYIr9tmhp/r6V8JM5tkKnsdpf36fAce4co5QNuC0Q1rJBbIgoaVGnNrPM+bLLB7hBaEGb+4quZEJz/CJNPiZW/YyDIyMUSn4F3+tl68Q01NfyT9CMv6R414BOciK6LyWixTc391cfrNJ2DKaVHKNOUPX5uAk5v2/cuw+NnCjbFM/6oR+GrEVeK4eKLmoHtbLQs/GvE3xsC8XbusI/zl5PQT8zJKnMveX49HJP/NVk7SYkI9taIJAM4H/L9cEmkMLzIFSL82jsEgq6ldhV0dWfh8n1ySrRiDpfJSxgjkGubOW4d5o3h9/wWrGf4WstdftAIsmgnWNfTL2Eh8MwmySBxHCetnl1B4iYSh5eW9N4pgU2OfbNgiImXRlDAajbu6tizBBmYd50XEwhFzHsnD8HoI38+lF0R4330184px/pR3DRfBPR6eq2O3br9pY1EVh8FmhU/O2nDw3ntJBF5AiFYFBDSQxI5kSXtN+ZUlzItVo2LvZz0nA4CrjcDmzNUI5kdwqOmnz9GkFkwiPVtCrXt35VFkOFeuvXl1SswckZQjpktRWK8VtHMuN0qLdI91itZ/O0TrOT6u3dSODxht6GwD/B2gavrzcmwKwU+vIr6YYTPDfh5pnCjnq9BaGGbZGAPginGIAAZAF7AkAAOGIq4U+MA2LAgAAAAABWVo=',
    ],
  ])('reads what %s writes', async (_options, base64) => {
    const unpacked = await decompressModule(Buffer.from(base64, 'base64'));

    expect(unpacked.equals(readModuleFixture('kl_consumer.c'))).toBe(true);
  });

  it('reads a stream without blocks', async () => {
    const empty = Buffer.from('fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a', 'hex');

    expect(await decompressModule(empty)).toHaveLength(0);
  });
});

describe('decompressModule() of features that kernels do not use', () => {
  it.each([
    // `head -c 200 /dev/zero | xz --check=crc32` with the options that are named.
    [
      '--arm --lzma2=dict=1MiB',
      'xz with these filters is not read',
      'fd377a585a0000016922de3602010700210110002553fbcfe000c700065d00006f6842580000000076a871c900011ec8010000004973509b3e300d8b020000000001595a',
    ],
  ])('names the feature: %s', async (_options, message, hex) => {
    await expect(decompressModule(Buffer.from(hex, 'hex'))).rejects.toMatchObject({
      code: 'COMPRESSION_UNSUPPORTED',
      message: `Cannot decompress a module: ${message}`,
    });
  });
});

describe.each(['none', 'gz', 'xz', 'zst'] as const)('compressModule() as %s', (compression) => {
  it('gives the same bytes each time, which unpack to the module', async () => {
    const [first, second] = [
      await compressModule(plain, compression),
      await compressModule(plain, compression),
    ];

    expect(first.equals(second)).toBe(true);
    expect(detectCompression(first)).toBe(compression);
    expect((await decompressModule(first)).equals(plain)).toBe(true);
  });

  it('packs what is larger than its buffers, and what does not compress', async () => {
    for (const bytes of [
      randomBytes(65_536),
      randomBytes(65_537),
      randomBytes(1_000_000),
      Buffer.alloc(3_000_000),
    ]) {
      expect((await decompressModule(await compressModule(bytes, compression))).equals(bytes)).toBe(true);
    }
  });
});

/** A zstd block that stands for 128 KiB of zeros. */
function runOfZeros(isLast: boolean): Buffer {
  const header = (131_072 << 3) | (1 << 1) | (isLast ? 1 : 0);
  const block = Buffer.alloc(4);
  block.writeUIntLE(header, 0, 3);
  return block;
}
