import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAtFrames } from '../../src/oci/zstd-frames.ts';
import { PieceSource } from '../support/raw-tar.ts';

/** Frames that `zstd` wrote, each by the command that is named. */
const FRAMES = {
  'printf content | zstd': '28b52ffd0458390000636f6e74656e74fca9c531',
  'printf content | zstd --no-check': '28b52ffd0058390000636f6e74656e74',
  'zstd FILE of 7 bytes, whose size is in the frame': '28b52ffd2407390000636f6e74656e74fca9c531',
  'zstd FILE of no bytes': '28b52ffd240001000099e9d851',
  'head -c 300000 /dev/zero | zstd: blocks of one repeated byte':
    '28b52ffd04585400001000000100fbff39c00202001000039f04002d28de26',
  'head -c 70000 /dev/zero | zstd --no-check': '28b52ffd005855000010000001006b1139c002',
  'a frame to be skipped, with 4 bytes': '502a4d180400000061626364',
  'a frame to be skipped, without content': '5f2a4d1800000000',
  // As the format describes them: sizes in 2, 4 and 8 bytes, and a dictionary.
  'a size in 2 bytes': '28b52ffd600100090000ff',
  'a size in 4 bytes and a dictionary of 1': '28b52ffd810007000000000b000078',
  'a size in 8 bytes and a dictionary of 4': '28b52ffde3010000000100000000000000090000ff',
};

async function cut(bytes: Buffer, pieceBytes: number): Promise<string[]> {
  const parts: string[] = [];
  for await (const part of cutAtFrames(new PieceSource(bytes, pieceBytes))) {
    parts.push(Buffer.from(part).toString('hex'));
  }
  return parts;
}

describe('cutAtFrames()', () => {
  it.each(Object.entries(FRAMES))('finds the end of: %s', async (_, hex) => {
    const next = '28b52ffd00';

    const parts = await cut(Buffer.from(hex + next, 'hex'), 1000);

    expect(parts).toEqual([hex, next]);
  });

  it('cuts any frames, whatever the pieces they come in', async () => {
    const frame = fc.constantFrom(...Object.values(FRAMES));
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { maxLength: 5 }),
        fc.integer({ min: 1, max: 40 }),
        async (frames, pieceBytes) => {
          const parts = await cut(Buffer.from(frames.join(''), 'hex'), pieceBytes);

          const ends = sums(frames);
          const cuts = new Set(sums(parts));
          expect(parts.join('')).toBe(frames.join(''));
          expect(ends.filter((end) => !cuts.has(end))).toEqual([]);
        },
      ),
    );
  });

  it('passes on what is no frame, for the decoder to judge', async () => {
    const parts = await cut(
      Buffer.from(`${FRAMES['printf content | zstd']}${'00'.repeat(100)}`, 'hex'),
      1000,
    );

    expect(parts).toEqual([FRAMES['printf content | zstd'], '00'.repeat(100)]);
  });

  it('passes on every byte of anything', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isFrame) => {
        const all = Buffer.concat([Buffer.from(isFrame ? '28b52ffd' : '', 'hex'), bytes]);

        expect((await cut(all, 7)).join('')).toBe(all.toString('hex'));
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 200) },
    );
  });
});

/** Where each part ends. */
function sums(parts: readonly string[]): number[] {
  let end = 0;
  return parts.map((part) => (end += part.length));
}
