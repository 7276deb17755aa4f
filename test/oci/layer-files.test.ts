import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { readLayerFiles, type ReadFilesOptions, unpackLimit } from '../../src/oci/layer-files.ts';
import { PieceSource, rawEntry } from '../support/raw-tar.ts';
import { type Entry, tarOf } from '../support/synthetic-image.ts';

const OBJECTS = 'sysroot/ostree/repo/objects';
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 100);

interface Reading {
  readonly files: Record<string, string>;
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
  /** How often the layer was opened. */
  readonly passes: number;
}

/** Reads what lies under `usr/` and `etc/`, as text. */
async function read(entries: readonly Entry[], options: Partial<ReadFilesOptions> = {}): Promise<Reading> {
  return readTar(await tarOf(entries), options);
}

async function readTar(tar: Buffer, options: Partial<ReadFilesOptions>): Promise<Reading> {
  const layer = gzipSync(tar);
  let passes = 0;
  const { files, whiteouts, opaque } = await readLayerFiles(
    () => {
      passes++;
      return new PieceSource(layer);
    },
    {
      maxBytes: 256 * 1024 ** 2,
      wants: (path) => /^(?:usr|etc)\//.test(path),
      ...options,
    },
  );
  const texts = [...files].map(([path, bytes]) => [path, bytes.toString()]);
  return { files: Object.fromEntries(texts) as Record<string, string>, whiteouts, opaque, passes };
}

describe('readLayerFiles()', () => {
  it('hands out links to what the layer does not have, each once, when it is asked to', async () => {
    const dead: [string, string][] = [];

    const { files } = await read(
      [
        { path: 'usr/a', hardlink: 'usr/nowhere' },
        { path: 'usr/c', hardlink: 'usr/d' },
        { path: 'usr/d', content: 'd' },
      ],
      { onDeadLink: (path, target) => dead.push([path, target]) },
    );

    expect(files).toEqual({ 'usr/c': 'd', 'usr/d': 'd' });
    expect(dead).toEqual([['usr/a', 'usr/nowhere']]);
  });

  it('reads wanted files', async () => {
    const { files, passes } = await read(
      [
        { path: 'usr', directory: true },
        { path: 'usr/a', content: 'a' },
        { path: 'usr/b', content: 'b' },
      ],
      { wants: (path) => path === 'usr/b' },
    );

    expect(files).toEqual({ 'usr/b': 'b' });
    expect(passes).toBe(1);
  });

  it('follows links to objects that stand right before them, in one pass', async () => {
    const { files, passes } = await read([
      { path: `${OBJECTS}/aa/1.file-xattrs`, content: 'xattrs' },
      { path: `${OBJECTS}/aa/2.file-xattrs-link`, hardlink: `${OBJECTS}/aa/1.file-xattrs` },
      { path: `${OBJECTS}/aa/2.file`, content: 'object' },
      { path: 'usr/lib/modules/1/modules.dep', hardlink: `${OBJECTS}/aa/2.file` },
      { path: 'usr/other', hardlink: `./${OBJECTS}/aa/2.file` },
      { path: 'usr/empty', content: '' },
    ]);

    expect(files).toEqual({
      'usr/lib/modules/1/modules.dep': 'object',
      'usr/other': 'object',
      'usr/empty': '',
    });
    expect(passes).toBe(1);
  });

  it('reads the layer a second time for links that come late', async () => {
    const { files, passes } = await read([
      { path: `${OBJECTS}/aa/1.file`, content: 'first' },
      { path: `${OBJECTS}/aa/2.file`, content: 'second' },
      { path: 'usr/a', hardlink: `${OBJECTS}/aa/1.file` },
      { path: 'usr/b', hardlink: `${OBJECTS}/aa/1.file` },
      { path: 'usr/c', hardlink: `${OBJECTS}/aa/2.file` },
    ]);

    expect(files).toEqual({ 'usr/a': 'first', 'usr/b': 'first', 'usr/c': 'second' });
    expect(passes).toBe(2);
  });

  it('reads the layer a second time for an object too large to be kept in case', async () => {
    const content = randomBytes(9 * 1024 ** 2).toString('base64');

    const { files, passes } = await read([
      { path: `${OBJECTS}/aa/1.file`, content },
      { path: 'usr/large', hardlink: `${OBJECTS}/aa/1.file` },
    ]);

    expect(files['usr/large'] === content).toBe(true);
    expect(passes).toBe(2);
  });

  it('does not read twice for late links of paths that are not wanted', async () => {
    const { files, passes } = await read([
      { path: `${OBJECTS}/aa/1.file`, content: 'first' },
      { path: `${OBJECTS}/aa/2.file`, content: 'second' },
      { path: 'var/a', hardlink: `${OBJECTS}/aa/1.file` },
    ]);

    expect(files).toEqual({});
    expect(passes).toBe(1);
  });

  it('follows links to ordinary files, wanted or not', async () => {
    const { files, passes } = await read([
      { path: 'usr/a', content: 'wanted' },
      { path: 'usr/b', hardlink: 'usr/a' },
      { path: 'var/c', content: 'not wanted' },
      { path: 'usr/d', hardlink: 'var/c' },
    ]);

    expect(files).toEqual({ 'usr/a': 'wanted', 'usr/b': 'wanted', 'usr/d': 'not wanted' });
    expect(passes).toBe(2);
  });

  it('follows links to links', async () => {
    const { files, passes } = await read([
      { path: 'var/a', content: 'content' },
      { path: 'var/b', hardlink: 'var/a' },
      { path: 'usr/c', hardlink: 'var/b' },
    ]);

    expect(files).toEqual({ 'usr/c': 'content' });
    expect(passes).toBe(3);
  });

  it.each<[string, readonly Entry[]]>([
    ['to nowhere', [{ path: 'usr/a', hardlink: 'usr/nowhere' }]],
    ['to itself', [{ path: 'usr/a', hardlink: 'usr/a' }]],
    [
      'in a circle',
      [
        { path: 'usr/a', hardlink: 'var/b' },
        { path: 'var/b', hardlink: 'var/c' },
        { path: 'var/c', hardlink: 'var/b' },
      ],
    ],
  ])('refuses a hard link %s', async (_, entries) => {
    const reading = read(entries);

    await expect(reading).rejects.toMatchObject({ name: 'OciError', code: 'LAYER_INVALID' });
  });

  it('takes no file for a link whose target may stand behind a prefix', async () => {
    const { files } = await read([{ path: 'usr/a', hardlink: 'usr/nowhere' }], { isPrefix: true });

    expect(files).toEqual({});
  });

  it('takes a link to a directory or a symlink for no file', async () => {
    const { files } = await read([
      { path: `${OBJECTS}/aa/1.file`, symlink: '../elsewhere' },
      { path: 'usr/a', hardlink: `${OBJECTS}/aa/1.file` },
      { path: 'usr/b', symlink: 'a' },
    ]);

    expect(files).toEqual({});
  });

  it('reads symlinks to /dev/null as empty files, also behind objects', async () => {
    const { files, passes } = await read([
      { path: 'etc/depmod.d/a.conf', symlink: '/dev/null' },
      { path: `${OBJECTS}/aa/1.file`, symlink: '/dev/null' },
      { path: 'etc/depmod.d/b.conf', hardlink: `${OBJECTS}/aa/1.file` },
    ]);

    expect(files).toEqual({ 'etc/depmod.d/a.conf': '', 'etc/depmod.d/b.conf': '' });
    expect(passes).toBe(1);
  });

  it('reads late links to a symlink to /dev/null as empty files', async () => {
    const { files } = await read([
      { path: `${OBJECTS}/aa/1.file`, symlink: '/dev/null' },
      { path: `${OBJECTS}/aa/2.file`, content: 'x' },
      { path: 'etc/depmod.d/b.conf', hardlink: `${OBJECTS}/aa/1.file` },
    ]);

    expect(files).toEqual({ 'etc/depmod.d/b.conf': '' });
  });

  it('takes the last entry where a path comes twice', async () => {
    const { files } = await read([
      { path: 'usr/a', content: 'old' },
      { path: 'usr/a', content: 'new' },
      { path: 'usr/b', hardlink: 'usr/nowhere' },
      { path: 'usr/b', content: 'new' },
      { path: 'usr/c', content: 'old' },
      { path: 'usr/c', hardlink: 'usr/a' },
      { path: 'usr/d', content: 'old' },
      { path: 'usr/d', symlink: 'a' },
    ]);

    expect(files).toEqual({ 'usr/a': 'new', 'usr/b': 'new', 'usr/c': 'new' });
  });

  it('notes what the layer hides below it', async () => {
    const { whiteouts, opaque } = await read([
      { path: 'usr/lib/.wh.gone', content: '' },
      { path: '.wh.top', content: '' },
      { path: 'usr/share/.wh..wh..opq', content: '' },
      { path: '.wh..wh..opq', content: '' },
    ]);

    expect(whiteouts).toEqual(['usr/lib/gone', 'top']);
    expect(opaque).toEqual(['usr/share', '']);
  });

  it('stops when it is done', async () => {
    const { files } = await read(
      [
        { path: 'usr/a', content: 'a' },
        { path: 'usr/b', content: 'b' },
      ],
      { isDone: (found) => found.has('usr/a') },
    );

    expect(files).toEqual({ 'usr/a': 'a' });
  });

  it('hands out every entry', async () => {
    const paths: string[] = [];

    await read([{ path: 'var/a', content: 'a' }], { onEntry: ({ path }) => paths.push(path) });

    expect(paths).toEqual(['var/a']);
  });

  it('refuses wanted files over a limit in all, also when they are links to one object', async () => {
    const content = Buffer.alloc(600, 'x');

    const files = [
      { path: 'usr/a', content },
      { path: 'usr/b', content },
    ];
    const links = [
      { path: `${OBJECTS}/aa/1.file`, content },
      { path: 'usr/a', hardlink: `${OBJECTS}/aa/1.file` },
      { path: 'usr/b', hardlink: `${OBJECTS}/aa/1.file` },
    ];

    for (const entries of [files, links]) {
      const reading = read(entries, { maxFilesBytes: 1000 });

      await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
  });

  it('counts a file that comes twice once', async () => {
    const content = Buffer.alloc(600, 'x');

    const { files } = await read(
      [
        { path: 'usr/a', content },
        { path: 'usr/a', content },
      ],
      { maxFilesBytes: 1000 },
    );

    expect(files['usr/a']).toHaveLength(600);
  });

  it('refuses megabytes of whiteouts', async () => {
    const name = rawEntry({ name: 'x', type: 'L' }, `${'d/'.repeat(1900)}.wh.x\0`);
    const tar = Buffer.concat(Array<Buffer>(5000).fill(Buffer.concat([name, rawEntry({ name: 'x' })])));

    const reading = readTar(tar, {});

    await expect(reading).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('holds no more than it has to: kept files are no views of the stream', async () => {
    const layer = gzipSync(await tarOf([{ path: 'usr/a', content: randomBytes(100_000) }]));

    const { files } = await readLayerFiles(() => new PieceSource(layer), {
      maxBytes: 1e9,
      wants: () => true,
    });

    expect(files.get('usr/a')?.buffer.byteLength).toBeLessThan(200_000);
  });

  it('ends as a real file system would, or with an OciError, whatever the links', async () => {
    const name = fc.constantFrom('usr/a', 'usr/b', 'var/c', `${OBJECTS}/aa/1.file`, `${OBJECTS}/aa/2.file`);
    const entry: fc.Arbitrary<Entry> = fc.oneof(
      fc.record({ path: name, content: fc.constantFrom('', 'one', 'two') }),
      fc.record({ path: name, hardlink: name }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 8 }), async (entries) => {
        const expected = unpack(entries);
        const tar = await tarOf(entries);

        const outcome = await readTar(tar, {}).catch((error: unknown) => error);

        if (outcome instanceof OciError || expected === undefined) return;
        expect(Object.keys((outcome as Reading).files).sort()).toEqual(expected);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('unpackLimit()', () => {
  it('gives small layers some hundred megabytes and large ones fifty times their size', () => {
    expect(unpackLimit(10)).toBe(256 * 1024 ** 2);
    expect(unpackLimit(1024 ** 3)).toBe(50 * 1024 ** 3);
  });
});

/** Wanted paths after unpacking in order, sorted; undefined when a link goes to what is not there yet. */
function unpack(entries: readonly Entry[]): string[] | undefined {
  const there = new Set<string>();
  for (const entry of entries) {
    if ('hardlink' in entry && (entry.hardlink === entry.path || !there.has(entry.hardlink)))
      return undefined;
    there.add(entry.path);
  }
  return [...there].filter((path) => path.startsWith('usr/')).sort();
}
