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
    packed[7] = 0x0a;

    await expect(decompressModule(packed)).rejects.toMatchObject({ code: 'COMPRESSION_UNSUPPORTED' });
  });
});

describe('decompressModule() of features that kernels do not use', () => {
  it.each([
    // Each is `head -c 200 /dev/zero | xz --check=crc32` with the options that are named.
    [
      '--lzma2=dict=128MiB',
      'xz with a dictionary over 64 MiB is not read',
      'fd377a585a0000016922de36020021011e0000009b075166e000c700065d00006f6842580000000076a871c900011ec8010000004973509b3e30' +
        '0d8b020000000001595a',
    ],
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
