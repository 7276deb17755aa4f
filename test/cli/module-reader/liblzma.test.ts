import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadLiblzma } from '../../../cli/module-reader/liblzma.ts';
import { decompressModule } from '../../../src/kmod/compression.ts';
import { storeXz } from '../../../src/kmod/xz-writer.ts';
import { readXz } from '../../../src/kmod/xz.ts';
import { readModuleFixture } from '../../kmod/fixtures.ts';
import { fuzzRuns, mutated } from '../../kmod/fuzz.ts';

const decodeXz = await loadLiblzma();
const plain = readModuleFixture('kl_provider.ko');

describe('loadLiblzma()', () => {
  it.each(['kl_provider.ko.xz', 'kl_provider.crc64.ko.xz'])('unpacks %s', (name) => {
    const output = Buffer.alloc(plain.length);

    expect(decodeXz?.(readModuleFixture(name), output)).toBe(true);
    expect(output.equals(plain)).toBe(true);
  });

  it('unpacks what does not pass through its memory at once', async () => {
    const large = randomBytes(3_000_001);
    const output = Buffer.alloc(large.length);

    expect(decodeXz?.(storeXz(large), output)).toBe(true);
    expect(output.equals(large)).toBe(true);
  });

  it('never gives more or less than there is room for, and still works afterwards', () => {
    const packed = readModuleFixture('kl_provider.ko.xz');

    for (const sizeBytes of [0, 1, plain.length - 1, plain.length + 1]) {
      expect(decodeXz?.(packed, Buffer.alloc(sizeBytes))).toBe(false);
    }
    expect(decodeXz?.(packed.subarray(0, 200), Buffer.alloc(plain.length))).toBe(false);
    expect(decodeXz?.(packed, Buffer.alloc(plain.length))).toBe(true);
  });

  it('changes nothing of what is said of damaged files', async () => {
    const say = (work: () => Promise<Buffer>): Promise<string> =>
      work().then(
        (bytes) => bytes.toString('latin1'),
        (error: unknown) => String(error),
      );

    await fc.assert(
      fc.asyncProperty(mutated(readModuleFixture('kl_provider.ko.xz')), async (bytes) => {
        const options = { maxBytes: 2 ** 20 };

        expect(await say(() => decompressModule(bytes, { ...options, decodeXz }))).toBe(
          await say(() => decompressModule(bytes, options)),
        );
      }),
      { numRuns: fuzzRuns(150) },
    );
  });
});

describe('readXz()', () => {
  it('does itself what the other decoder could not', () => {
    const packed = readModuleFixture('kl_provider.ko.xz');

    expect(readXz(packed, 2 ** 20, () => false).equals(plain)).toBe(true);
  });
});
