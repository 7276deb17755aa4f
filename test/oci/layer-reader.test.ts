import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { LayerError, OciError, RegistryError } from '../../src/errors.ts';
import { type LayerEntry, MAX_FILE_BYTES, walkLayer, type WalkOptions } from '../../src/oci/layer-reader.ts';
import { END_OF_TAR, PieceSource, rawEntry, rawHeader } from '../support/raw-tar.ts';
import { tarOf } from '../support/synthetic-image.ts';
import { anyText } from '../support/any-text.ts';

const LIMIT = 64 * 1024 ** 2;
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 100);

interface Walked {
  readonly entries: LayerEntry[];
  readonly contents: Map<string, string>;
}

/** Walks a layer and keeps everything. */
async function walk(source: AsyncIterable<Uint8Array>, options: Partial<WalkOptions> = {}): Promise<Walked> {
  const walked: Walked = { entries: [], contents: new Map() };
  await walkLayer(source, {
    maxBytes: LIMIT,
    wants: () => true,
    onEntry: (entry) => walked.entries.push(entry),
    onContent: ({ path }, bytes) => walked.contents.set(path, bytes.toString('latin1')),
    ...options,
  });
  return walked;
}

describe('walkLayer()', () => {
  it('hands out entries of every type with plain names', async () => {
    const tar = Buffer.concat([
      rawEntry({ name: './', type: '5' }),
      rawEntry({ name: './usr//lib/', type: '5' }),
      rawEntry({ name: '/usr/a' }, 'content'),
      rawEntry({ name: 'usr/b', type: '1', linkName: './usr/a' }),
      rawEntry({ name: 'usr/c', type: '2', linkName: '../a' }),
      rawEntry({ name: 'usr/d', type: '6' }),
      rawEntry({ name: 'usr/e', type: '7' }, 'contiguous'),
      rawEntry({ name: 'usr/f', type: '2' }),
      END_OF_TAR,
    ]);

    const { entries, contents } = await walk(new PieceSource(tar));

    expect(entries.map(({ path, type, linkPath }) => [path, type, linkPath])).toEqual([
      ['', 'directory', undefined],
      ['usr/lib', 'directory', undefined],
      ['usr/a', 'file', undefined],
      ['usr/b', 'hardlink', 'usr/a'],
      ['usr/c', 'symlink', '../a'],
      ['usr/d', 'fifo', undefined],
      ['usr/e', 'file', undefined],
      ['usr/f', 'symlink', ''],
    ]);
    expect([...contents]).toEqual([
      ['usr/a', 'content'],
      ['usr/e', 'contiguous'],
    ]);
    expect(entries[2]).toMatchObject({ sizeBytes: 7, mode: 0o644 });
  });

  it('reads the long names of PAX', async () => {
    const path = `usr/${'long/'.repeat(60)}file`;
    const tar = await tarOf([{ path, content: 'content' }]);

    const { contents } = await walk(new PieceSource(tar));

    expect(contents.get(path)).toBe('content');
  });

  it('reads the long names of GNU', async () => {
    const path = `usr/${'long/'.repeat(60)}file`;
    const tar = Buffer.concat([
      rawEntry({ name: '././@LongLink', type: 'K' }, `./${path}\0`),
      rawEntry({ name: '././@LongLink', type: 'L' }, `./${path}.link\0`),
      rawEntry({ name: 'cut', type: '1', linkName: 'cut' }),
      END_OF_TAR,
    ]);

    const { entries } = await walk(new PieceSource(tar));

    expect(entries).toMatchObject([{ path: `${path}.link`, type: 'hardlink', linkPath: path }]);
  });

  it('reads the same, whatever the pieces that the layer comes in', async () => {
    const file = fc.record({
      name: fc.stringMatching(/^[a-z]{1,8}$/),
      bytes: fc.uint8Array({ maxLength: 3000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: 12 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.boolean(),
        async (files, pieceBytes, isGzip) => {
          const tar = pack();
          for (const { name, bytes } of files) tar.entry({ name }, Buffer.from(bytes));
          tar.finalize();
          const parts: Buffer[] = [];
          for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
          const bytes = Buffer.concat(parts);

          const { contents } = await walk(new PieceSource(isGzip ? gzipSync(bytes) : bytes, pieceBytes));

          expect([...contents]).toEqual(
            files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('latin1')]),
          );
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('reads a tar from before POSIX, which has no magic', async () => {
    const header = rawHeader({ name: 'usr/a', sizeBytes: 1 });
    header.fill(0, 257, 265);
    header.fill(' ', 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    const tar = Buffer.concat([header, Buffer.from('a'), Buffer.alloc(511), END_OF_TAR]);

    const { contents } = await walk(new PieceSource(tar));

    expect([...contents]).toEqual([['usr/a', 'a']]);
  });

  it('reads ten thousand empty entries in a row', async () => {
    const tar = Buffer.concat([
      ...Array.from({ length: 10_000 }, (_, at) => rawHeader({ name: `usr/${at}` })),
      END_OF_TAR,
    ]);

    const { contents } = await walk(new PieceSource(tar, 4 * 1024 ** 2));

    expect(contents.size).toBe(10_000);
  });

  it('skips empty pieces', async () => {
    const tar = await tarOf([{ path: 'usr/a', content: 'content' }]);
    const pieces = (async function* () {
      for (const byte of [tar.subarray(0, 600), Buffer.alloc(0), tar.subarray(600)]) yield byte;
    })();

    const { contents } = await walk(pieces);

    expect(contents.get('usr/a')).toBe('content');
  });

  it('asks for content of wanted files only', async () => {
    const tar = await tarOf([
      { path: 'usr/a', content: 'a' },
      { path: 'usr/b', content: 'b' },
      { path: 'usr/empty', content: '' },
    ]);

    const { entries, contents } = await walk(new PieceSource(tar), { wants: ({ path }) => path === 'usr/b' });

    expect(entries).toHaveLength(3);
    expect([...contents]).toEqual([['usr/b', 'b']]);
  });

  it('stops when it is done and closes the source', async () => {
    const layer = gzipSync(
      await tarOf([
        { path: 'usr/a', content: 'a' },
        { path: 'usr/b', content: randomBytes(4 * 1024 ** 2) },
        { path: 'usr/c', content: 'c' },
      ]),
    );
    const source = new PieceSource(layer, 16 * 1024);
    let isDone = false;

    const { entries } = await walk(source, {
      onContent: () => {
        isDone = true;
      },
      isDone: () => isDone,
    });

    expect(entries).toHaveLength(1);
    expect(source.isClosed).toBe(true);
    expect(source.takenBytes).toBeLessThan(1024 ** 2);
  });

  it('hands out nothing after it is done', async () => {
    const tar = await tarOf([
      { path: 'usr/a', content: 'a' },
      { path: 'usr/b', content: 'b' },
    ]);
    const paths: string[] = [];

    await walk(new PieceSource(tar), {
      onEntry: ({ path }) => paths.push(path),
      isDone: () => paths.length > 0,
    });

    expect(paths).toEqual(['usr/a']);
  });

  it('takes the whole entries of a prefix', async () => {
    const tar = await tarOf([
      { path: 'usr/a', content: 'a' },
      { path: 'usr/b', content: randomBytes(100_000) },
    ]);
    const prefix = gzipSync(tar).subarray(0, 50_000);

    const { entries, contents } = await walk(new PieceSource(prefix, 1000), { isPrefix: true });

    expect(entries.map(({ path }) => path)).toEqual(['usr/a', 'usr/b']);
    expect([...contents.keys()]).toEqual(['usr/a']);
  });

  it('takes a prefix that ends inside a header', async () => {
    const tar = await tarOf([
      { path: 'usr/a', content: 'a' },
      { path: 'usr/b', content: 'b' },
    ]);

    const { contents } = await walk(new PieceSource(tar.subarray(0, 1024 + 100)), { isPrefix: true });

    expect([...contents.keys()]).toEqual(['usr/a']);
  });

  it.each([
    ['inside a file', 700],
    ['inside a header', 200],
  ])('refuses a tar that ends %s', async (_, length) => {
    const tar = await tarOf([{ path: 'usr/a', content: randomBytes(2000) }]);

    const walking = walk(new PieceSource(tar.subarray(0, length)));

    await expect(walking).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  it('refuses a truncated gzip in the middle of a file that is read', async () => {
    const layer = gzipSync(await tarOf([{ path: 'usr/a', content: randomBytes(500_000) }]));

    const walking = walk(new PieceSource(layer.subarray(0, 300_000)));

    await expect(walking).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  it.each([
    ['a broken checksum', rawEntry({ name: 'usr/a', isBroken: true })],
    ['bytes that are no tar', Buffer.alloc(2048, 'text')],
    ['a path out of the root', rawEntry({ name: 'usr/../../etc/shadow' }, 'x')],
    ['a hard link out of the root', rawEntry({ name: 'usr/a', type: '1', linkName: '../../etc/shadow' })],
    ['a path of 5000 characters', rawEntry({ name: 'x', type: 'L' }, `${'a/'.repeat(2500)}\0`)],
    ['a negative size', rawEntry({ name: 'x', type: 'x' }, '11 size=-5\n')],
  ])('refuses %s', async (_, bytes) => {
    const source = new PieceSource(Buffer.concat([bytes, rawEntry({ name: 'usr/z' }), END_OF_TAR]));

    const walking = walk(source);

    await expect(walking).rejects.toMatchObject({ name: 'OciError', code: 'LAYER_INVALID' });
    expect(source.isClosed).toBe(true);
  });

  it('refuses a wanted file that is larger than memory should hold, before its bytes come', async () => {
    const header = rawHeader({ name: 'usr/a', sizeBytes: MAX_FILE_BYTES + 1 });
    const source = new PieceSource(Buffer.concat([header, Buffer.alloc(8 * 1024 ** 2)]));

    const walking = walk(source);

    await expect(walking).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(source.takenBytes).toBeLessThan(1024 ** 2);
  });

  it.each(['x', 'g', 'L', 'K'])('refuses a header of type %s that claims gigabytes', async (type) => {
    const header = rawHeader({ name: 'x', type, sizeBytes: 4 * 1024 ** 3 });
    const source = new PieceSource(Buffer.concat([header, Buffer.alloc(16 * 1024 ** 2)]));

    const walking = walk(source);

    await expect(walking).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(source.takenBytes).toBeLessThan(1024 ** 2);
  });

  it('refuses an unpacked size over the limit', async () => {
    const layer = gzipSync(await tarOf([{ path: 'usr/a', content: Buffer.alloc(4 * 1024 ** 2) }]));

    const walking = walk(new PieceSource(layer), { maxBytes: 1024 ** 2 });

    await expect(walking).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it.each(['onEntry', 'wants', 'onContent', 'isDone'] as const)(
    'throws what %s throws, and closes the source',
    async (callback) => {
      const failure = new LayerError('CONTENT_INVALID', 'Cannot use it');
      const tar = await tarOf([
        { path: 'usr/a', content: 'a' },
        { path: 'usr/b', content: randomBytes(200_000) },
      ]);
      const source = new PieceSource(tar, 1000);

      const walking = walk(source, {
        [callback]: () => {
          throw failure;
        },
      });

      await expect(walking).rejects.toBe(failure);
      expect(source.isClosed).toBe(true);
    },
  );

  it('makes an error of what a callback throws that is none', async () => {
    const tar = await tarOf([{ path: 'usr/a', content: '' }]);

    const walking = walk(new PieceSource(tar), {
      isDone: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'text';
      },
    });

    await expect(walking).rejects.toThrow('text');
  });

  it('passes on what its source throws', async () => {
    const failure = new RegistryError('DIGEST_MISMATCH', 'Cannot trust the layer');
    const tar = await tarOf([{ path: 'usr/a', content: 'a' }]);

    const walking = walk(new PieceSource(gzipSync(tar), 100, failure));

    await expect(walking).rejects.toBe(failure);
  });

  it('never throws anything but an OciError on foreign bytes', async () => {
    const block = fc.oneof(
      fc.uint8Array({ minLength: 0, maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
      fc
        .record({
          name: anyText({ maxBytes: 60 }),
          type: fc.constantFrom('0', '1', '2', '5', '7', 'x', 'g', 'L', 'K', 'S', '\0'),
          sizeBytes: fc.integer({ min: 0, max: 3000 }),
          linkName: fc.string({ maxLength: 60 }),
        })
        .map(rawHeader),
      fc
        .tuple(fc.constantFrom('x', 'g', 'L', 'K'), anyText({ maxBytes: 600 }))
        .map(([type, text]) => rawEntry({ name: 'x', type }, text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(block, { maxLength: 8 }), fc.boolean(), async (blocks, isPrefix) => {
        const bytes = Buffer.concat([...blocks, END_OF_TAR]);

        const outcome = await walk(new PieceSource(bytes, 997), { isPrefix }).catch(
          (error: unknown) => error,
        );

        expect(outcome instanceof OciError || !(outcome instanceof Error)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
