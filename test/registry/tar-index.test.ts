import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { readTarIndex, TAR_END, tarHeader, tarPadding } from '../../src/registry/tar-index.ts';
import { rawEntry } from '../support/raw-tar.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200);

describe('readTarIndex()', () => {
  it('finds what tarHeader() wrote', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.tuple(fc.stringMatching(/^[a-z][a-z0-9./]{0,60}[a-z]$/), fc.uint8Array({ maxLength: 2000 })),
          {
            selector: ([name]) =>
              name
                .split('/')
                .filter((part) => part !== '' && part !== '.')
                .join('/'),
            maxLength: 6,
          },
        ),
        async (files) => {
          const tar = Buffer.concat([
            ...files.flatMap(([name, bytes]) => [
              tarHeader(name, bytes.length),
              Buffer.from(bytes),
              tarPadding(bytes.length),
            ]),
            TAR_END,
          ]);

          const index = await indexOf(tar);

          const found = [...index.values()].map(({ offset, sizeBytes }) =>
            tar.subarray(offset, offset + sizeBytes),
          );
          expect(found.map((bytes) => bytes.toString('hex'))).toEqual(
            files.map(([, bytes]) => Buffer.from(bytes).toString('hex')),
          );
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('keeps a size that eleven octal digits do not hold', async () => {
    const index = readTarIndex(async () => tarHeader('big', 9_000_000_000), Infinity, 'test');

    await expect(index).rejects.toMatchObject({
      code: 'LAYOUT_INVALID',
      message: /more than 100000 entries/,
    });
  });

  it('never throws anything but a KmodError on damaged bytes', async () => {
    const good = Buffer.concat([
      tarHeader('oci-layout', 700),
      Buffer.alloc(700, 1),
      tarPadding(700),
      tarHeader('index.json', 3),
      Buffer.from('{}\n'),
      tarPadding(3),
      TAR_END,
    ]);
    const change = fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) });

    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), fc.nat(good.length), async (changes, length) => {
        const bytes = Buffer.from(good.subarray(0, length));
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;

        const outcome = await indexOf(bytes).catch((error: unknown) => error);

        expect(outcome instanceof Map || outcome instanceof KmodError).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('comes to an end when a pax record says another length than it has', async () => {
    const tar = Buffer.concat([
      rawEntry({ name: 'pax', type: 'x' }, '34 SCHILY.xattr.user.name=some text\n'),
      rawEntry({ name: 'oci-layout' }, '{}'),
      TAR_END,
    ]);

    const index = await indexOf(tar);

    expect([...index.keys()]).toEqual(['oci-layout']);
  });
});

function indexOf(tar: Buffer): ReturnType<typeof readTarIndex> {
  return readTarIndex(async (offset, size) => tar.subarray(offset, offset + size), tar.length, 'test');
}
