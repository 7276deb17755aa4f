import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError, RegistryError } from '../../src/errors.ts';
import { decompressLayer } from '../../src/oci/decompress.ts';
import { PieceSource } from '../support/raw-tar.ts';

const LIMIT = 16 * 1024 ** 2;
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 100);

async function readAll(source: AsyncIterable<Uint8Array>, options = {}): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of decompressLayer(source, { maxBytes: LIMIT, ...options })) parts.push(part);
  return Buffer.concat(parts);
}

describe('decompressLayer()', () => {
  it('gives back what gzip compressed, whatever the pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 3000 }),
        async (bytes, pieceBytes) => {
          const source = new PieceSource(gzipSync(bytes), pieceBytes);

          const read = await readAll(source);

          expect(read.equals(bytes)).toBe(true);
          expect(source.isClosed).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('passes on what is not compressed', async () => {
    const bytes = randomBytes(200_000);
    bytes[0] = 0;

    const read = await readAll(new PieceSource(bytes, 1000));

    expect(read.equals(bytes)).toBe(true);
  });

  it('reads a layer of no bytes', async () => {
    const read = await readAll(new PieceSource(Buffer.alloc(0)));

    expect(read).toHaveLength(0);
  });

  it('joins gzip members, also where a piece ends inside the second header', async () => {
    const first = gzipSync('first ');
    const members = Buffer.concat([first, gzipSync('second')]);

    const read = await readAll(new PieceSource(members, first.length + 1));

    expect(read.toString()).toBe('first second');
  });

  it.each([1000, 400_000])(
    'reads padding after gzip to its end, where the digest is checked (%d)',
    async (pieceBytes) => {
      const compressed = Buffer.concat([gzipSync('content'), Buffer.alloc(300_000)]);
      const source = new PieceSource(compressed, pieceBytes);

      const read = await readAll(source);

      expect(read.toString()).toBe('content');
      expect(source.takenBytes).toBe(compressed.length);
    },
  );

  it('refuses garbage after gzip, as the tools of nodes do', async () => {
    const compressed = Buffer.concat([gzipSync('content'), Buffer.alloc(3000, 7)]);

    const reading = readAll(new PieceSource(compressed));

    await expect(reading).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  it('passes on what its source throws, also behind the compressed data', async () => {
    const failure = new RegistryError('DIGEST_MISMATCH', 'Cannot trust the layer');
    const compressed = Buffer.concat([gzipSync(randomBytes(100_000)), Buffer.alloc(300_000)]);

    const reading = readAll(new PieceSource(compressed, 1000, failure));

    await expect(reading).rejects.toBe(failure);
  });

  it('passes on a failure in the middle of the compressed data', async () => {
    const failure = new RegistryError('UNREACHABLE', 'Cannot read the layer');
    const half = gzipSync(randomBytes(100_000)).subarray(0, 50_000);

    const reading = readAll(new PieceSource(half, 1000, failure));

    await expect(reading).rejects.toBe(failure);
  });

  it('makes an error of what a source throws that is none', async () => {
    const source = {
      [Symbol.asyncIterator]: () => ({
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        next: (): Promise<IteratorResult<Uint8Array>> => Promise.reject('gone'),
      }),
    };
    const compressed = gzipSync(randomBytes(1000));
    const late = (async function* () {
      yield compressed;
      yield* source;
    })();

    const reading = readAll(late);

    await expect(reading).rejects.toThrow('gone');
  });

  it('refuses a truncated gzip', async () => {
    const compressed = gzipSync(randomBytes(100_000));

    const reading = readAll(new PieceSource(compressed.subarray(0, 60_000)));

    await expect(reading).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  it('takes what a prefix of a gzip holds', async () => {
    const bytes = randomBytes(100_000);

    const read = await readAll(new PieceSource(gzipSync(bytes).subarray(0, 60_000)), { isPrefix: true });

    expect(read.length).toBeGreaterThan(50_000);
    expect(read.equals(bytes.subarray(0, read.length))).toBe(true);
  });

  it('refuses a bomb after the limit, without reading on', async () => {
    // Many members: streams of newer versions of node read ahead by more than one of them is long.
    const member = gzipSync(Buffer.alloc(16 * 1024 ** 2));
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => member));
    const source = new PieceSource(bomb, 1000);

    const reading = readAll(source, { maxBytes: 1024 ** 2 });

    await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(source.isClosed).toBe(true);
    expect(source.takenBytes).toBeLessThan(bomb.length);
  });

  it('closes its source when the caller stops early', async () => {
    const source = new PieceSource(gzipSync(randomBytes(8 * 1024 ** 2)), 16 * 1024);

    for await (const chunk of decompressLayer(source, { maxBytes: LIMIT })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }

    expect(source.isClosed).toBe(true);
    expect(source.takenBytes).toBeLessThan(4 * 1024 ** 2);
  });

  it('reads a source that cannot be closed', async () => {
    const inner = new PieceSource(gzipSync('plain'))[Symbol.asyncIterator]();
    const source = { [Symbol.asyncIterator]: () => ({ next: () => inner.next() }) };

    const read = await readAll(source);

    expect(read.toString()).toBe('plain');
  });

  it.each([
    ['one frame', '28b52ffd2407390000636f6e74656e74fca9c531', 'content'],
    [
      'frames in a row, one of them to be skipped',
      '28b52ffd2407390000636f6e74656e74fca9c531502a4d18040000006162636428b52ffd0058390000636f6e74656e74',
      'contentcontent',
    ],
  ])('reads zstd, or says which Node does: %s', async (_, hex, content) => {
    // printf content | zstd | xxd -p
    const compressed = Buffer.from(hex, 'hex');
    const hasZstd = 'createZstdDecompress' in zlib;

    for (const options of [{}, { isPrefix: true }]) {
      const result = await readAll(new PieceSource(compressed), options).then(
        String,
        (error: unknown) => error,
      );

      if (hasZstd) expect(result).toBe(content);
      else expect(result).toMatchObject({ code: 'LAYER_INVALID', hint: 'Use Node 22.15 or newer.' });
    }
  });

  it('never throws anything but an OciError on foreign bytes', async () => {
    const hostile = fc
      .tuple(fc.constantFrom('', '1f8b', '1f8b0800', '28b52ffd'), fc.uint8Array({ maxLength: 500 }))
      .map(([magic, rest]) => Buffer.concat([Buffer.from(magic, 'hex'), rest]));
    await fc.assert(
      fc.asyncProperty(hostile, fc.boolean(), async (bytes, isPrefix) => {
        const outcome = await readAll(new PieceSource(bytes, 100), { isPrefix }).catch(
          (error: unknown) => error,
        );

        expect(Buffer.isBuffer(outcome) || outcome instanceof OciError).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
