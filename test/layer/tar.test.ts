import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LayerError } from '../../src/errors.ts';
import { type LayerFile, tarParts } from '../../src/layer/tar.ts';
import { walkLayer } from '../../src/oci/layer-reader.ts';
import { extract, type Header } from 'tar-stream';
import { anyText } from '../support/any-text.ts';

interface Read {
  readonly header: Header;
  readonly content: string;
}

/** Reads a tar with tar-stream. */
async function readTar(tar: Buffer): Promise<Read[]> {
  const reader = extract();
  const entries: Read[] = [];
  reader.on('entry', (header, stream, next) => {
    const parts: Buffer[] = [];
    stream.on('data', (part) => parts.push(part as Buffer));
    stream.on('end', () => {
      entries.push({ header, content: Buffer.concat(parts).toString('latin1') });
      next();
    });
  });
  await new Promise((resolve, reject) => {
    reader.on('finish', () => {
      resolve(undefined);
    });
    reader.on('error', reject);
    reader.end(tar);
  });
  return entries;
}

const segment = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_+.-]{1,60}$/),
  fc.constantFrom('ice.ko', 'größe.conf', 'ファイル', 'x'.repeat(255)),
);
const layerFile = fc.record({
  path: fc
    .tuple(
      fc.constantFrom('usr/lib', 'usr/share', 'etc/d'),
      fc.array(segment, { minLength: 1, maxLength: 6 }),
    )
    .map(([top, segments]) => `${top}/${segments.join('/')}`)
    .filter((path) => path.split('/').every((part) => !/^\.{1,2}$|^\.wh\./.test(part))),
  bytes: fc.uint8Array({ maxLength: 2000 }),
});

/** The tar as one. */
function writeTar(files: readonly LayerFile[]): Buffer {
  return Buffer.concat(tarParts(files));
}

describe('tarParts()', () => {
  it('writes what tar-stream and our reader read back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(layerFile, { selector: ({ path }) => path, maxLength: 10 }),
        async (files) => {
          fc.pre(!files.some((a) => files.some((b) => b.path.startsWith(`${a.path}/`))));
          const tar = writeTar(files);

          const theirs = new Map<string, string>();
          for (const { header, content } of await readTar(tar)) {
            if (header.type === 'file') theirs.set(header.name, content);
          }
          const ours = new Map<string, string>();
          await walkLayer(pieces(tar), {
            maxBytes: 1e9,
            wants: () => true,
            onContent: ({ path }, bytes) => ours.set(path, bytes.toString('latin1')),
          });

          const expected = files.map(
            ({ path, bytes }) => [path, Buffer.from(bytes).toString('latin1')] as const,
          );
          expect(theirs).toEqual(new Map(expected));
          expect(ours).toEqual(new Map(expected));
        },
      ),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 100) },
    );
  });

  it('does not depend on the order of the files', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^usr\/[a-c]{1,3}\/[x-z]{1,3}$/), { minLength: 2, maxLength: 8 }),
        (paths) => {
          const files = paths.map((path) => ({ path, bytes: Buffer.from(path) }));

          expect(writeTar(files).equals(writeTar(files.toReversed()))).toBe(true);
        },
      ),
    );
  });

  it('writes sorted entries, parents first, with owner, time and modes fixed', async () => {
    const tar = writeTar([
      { path: 'usr/lib/modprobe.d/b.conf', bytes: Buffer.from('b') },
      { path: 'usr/lib/a', bytes: Buffer.from('a'), mode: 0o755 },
      { path: 'usr/lib-x', bytes: Buffer.from('x') },
    ]);

    const entries = await readTar(tar);

    expect(entries.map(({ header: { name, type, mode } }) => [name, type, mode])).toEqual([
      ['usr/', 'directory', 0o755],
      ['usr/lib/', 'directory', 0o755],
      ['usr/lib-x', 'file', 0o644],
      ['usr/lib/a', 'file', 0o755],
      ['usr/lib/modprobe.d/', 'directory', 0o755],
      ['usr/lib/modprobe.d/b.conf', 'file', 0o644],
    ]);
    for (const { header } of entries) {
      expect(header).toMatchObject({
        uid: 0,
        gid: 0,
        uname: '',
        gname: '',
        mtime: new Date(1000),
        pax: null,
      });
    }
  });

  it('ends with two blocks of zeros', () => {
    const tar = writeTar([{ path: 'usr/a', bytes: Buffer.from('a') }]);

    expect(tar).toHaveLength(512 + 1024 + 1024);
    expect(tar.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    expect(writeTar([])).toHaveLength(1024);
  });

  it.each([
    ['one header', `usr/${'n'.repeat(96)}`, 1],
    ['one header with a prefix', `usr/${'d'.repeat(51)}/${'n'.repeat(100)}`, 1],
    ['a PAX record, as the name is too long', `usr/${'n'.repeat(101)}`, 3],
    ['a PAX record, as the prefix is too long', `usr/${'d'.repeat(152)}/n`, 3],
    ['a PAX record, as it is not ASCII', 'usr/größe', 3],
  ])('writes a path with %s', async (_, path, blocks) => {
    const tar = writeTar([{ path, bytes: Buffer.from('a') }]);

    const entries = await readTar(tar);
    expect(entries.at(-1)?.header.name).toBe(path);
    const directories = entries.length - 1;
    expect(tar.length / 512).toBe(directories + (path.includes('d'.repeat(152)) ? 2 : 0) + blocks + 1 + 2);
  });

  it.each([
    '',
    'usr',
    '/usr/a',
    'usr//a',
    'usr/./a',
    'usr/../etc/a',
    'usr/a/',
    'lib/modules/a',
    'opt/a',
    'usr/etc/a',
    'usr/local/a',
    'usr/lib/.wh.a',
    'usr/.wh..wh..opq/a',
    'usr/a\0b',
    'usr/a\nb',
    'usr/\ud800',
    `usr/${'a'.repeat(256)}`,
    `usr/${'ä'.repeat(128)}`,
    `usr${'/aaaaaaa'.repeat(520)}`,
  ])('refuses the path %j', (path) => {
    expect(() => writeTar([{ path, bytes: Buffer.alloc(0) }])).toThrow(
      expect.objectContaining({ name: 'LayerError', code: 'PATH_INVALID' }),
    );
  });

  it.each([
    ['twice the same path', ['usr/a', 'usr/a']],
    ['a file that is a directory too', ['usr/a', 'usr/a/b']],
  ])('refuses %s', (_, paths) => {
    const files = paths.map((path) => ({ path, bytes: Buffer.alloc(0) }));

    expect(() => writeTar(files)).toThrow(expect.objectContaining({ code: 'PATH_CONFLICT' }));
  });

  it.each([0o1000, 0o4755, -1, 1.5, Number.NaN])('refuses the mode %d', (mode) => {
    expect(() => writeTar([{ path: 'usr/a', bytes: Buffer.alloc(0), mode }])).toThrow(
      expect.objectContaining({ code: 'CONTENT_INVALID' }),
    );
  });

  it('never throws anything but a LayerError', () => {
    const file: fc.Arbitrary<LayerFile> = fc.record({
      path: fc.oneof(
        anyText({ maxBytes: 30 }),
        anyText({ maxBytes: 30 }).map((text) => `usr/${text}`),
      ),
      bytes: fc.uint8Array({ maxLength: 10 }),
      mode: fc.integer(),
    });
    fc.assert(
      fc.property(fc.array(file, { maxLength: 3 }), (files) => {
        try {
          writeTar(files);
        } catch (error) {
          expect(error).toBeInstanceOf(LayerError);
        }
      }),
    );
  });
});

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}
