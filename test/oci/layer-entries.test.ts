import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type LayerEntry, walkLayer, type WalkOptions } from '../../src/oci/layer-reader.ts';
import { rawTar } from '../support/layered-image.ts';
import { END_OF_TAR, PieceSource, rawEntry } from '../support/raw-tar.ts';

/** Walks a layer and keeps everything. */
async function walk(source: AsyncIterable<Uint8Array>, options: Partial<WalkOptions> = {}) {
  const entries: LayerEntry[] = [];
  const contents = new Map<string, string>();
  await walkLayer(source, {
    maxBytes: 1024 ** 2,
    wants: () => true,
    onEntry: (entry) => entries.push(entry),
    onContent: ({ path }, bytes) => contents.set(path, bytes.toString('latin1')),
    ...options,
  });
  return { entries, contents };
}

describe('walkLayer()', () => {
  it('hands out owners, modes, times and names of extended attributes', async () => {
    const tar = await rawTar([
      {
        name: 'usr/a',
        content: '',
        mode: 0o104755,
        uid: 7,
        gid: 8,
        mtime: new Date(90_000),
        pax: { 'SCHILY.xattr.user.a': '1', 'SCHILY.xattr.security.capability': '2', comment: 'x' },
      },
    ]);

    const { entries } = await walk(new PieceSource(tar));

    expect(entries).toMatchObject([
      { mode: 0o4755, uid: 7, gid: 8, mtimeSeconds: 90, xattrs: ['user.a', 'security.capability'] },
    ]);
  });

  it('hands out bad names instead of ending, and every byte of the tar', async () => {
    const tar = Buffer.concat([
      rawEntry({ name: 'usr/../../a' }, 'lost'),
      rawEntry({ name: 'usr/b' }, 'content'),
      END_OF_TAR,
    ]);
    const bad: [string, string][] = [];
    const bytes: Buffer[] = [];

    const { contents } = await walk(new PieceSource(gzipSync(tar)), {
      onBadName: (name, why) => bad.push([name, why]),
      onTarBytes: (piece) => bytes.push(Buffer.from(piece)),
    });

    expect(bad).toEqual([['usr/../../a', 'the entry "usr/../../a" leaves the root']]);
    expect([...contents]).toEqual([['usr/b', 'content']]);
    expect(Buffer.concat(bytes).equals(tar)).toBe(true);
  });

  it('reads a tar that ends in the middle of its last block, and says so', async () => {
    const whole = Buffer.concat([rawEntry({ name: 'usr/a' }, 'a'), rawEntry({ name: 'usr/b' }, 'content')]);
    const cut = whole.subarray(0, 1024 + 512 + 'content'.length);
    let cuts = 0;
    const onCut = (): void => {
      cuts += 1;
    };

    const { contents } = await walk(new PieceSource(cut), { onCut });

    expect(contents.get('usr/b')).toBe('content');
    expect(cuts).toBe(1);
    await walk(new PieceSource(whole), { onCut });
    expect(cuts).toBe(1);
    for (const bytes of [cut.subarray(0, -1), cut.subarray(0, 1100), cut.subarray(0, 100)])
      await expect(walk(new PieceSource(bytes), { onCut })).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(cuts).toBe(1);
  });
});
