import { beforeAll, describe, expect, it } from 'vitest';
import { lintImage } from '../../../src/verify/image/lint-image.ts';
import { findBoundary } from '../../../src/verify/image/boundary.ts';
import { type PathChange, readChanges } from '../../../src/verify/image/changes.ts';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import { makeTestIo } from '../../support/io.ts';
import { file, layered, MODULES, openQuickstart, type RawEntry } from '../../support/layered-image.ts';

const DUMMY = `${MODULES}/kernel/drivers/net/dummy.ko.xz`;

let base: OpenedImage;

beforeAll(async () => {
  base = await openQuickstart();
});

async function changesOf(
  layers: readonly (readonly RawEntry[])[],
  { isBaseRead = true, io = makeTestIo() } = {},
) {
  const image = await layered(base, layers);
  return readChanges(image, findBoundary(image)!, { isBaseRead }, io);
}

/** Changes in short: `+ usr/bin/a 7`. */
function brief(changes: readonly PathChange[]): readonly string[] {
  const marks = { added: '+', replaced: '~', removed: '-', unknown: '?' };
  return changes.map(({ change, path, sizeBytes }) => `${marks[change]} ${path} ${sizeBytes}`);
}

describe('readChanges()', () => {
  it('tells what is added, replaced and removed', async () => {
    const { changes, unread } = await changesOf([
      [
        { name: 'usr/', type: 'directory' },
        { name: 'usr/share/empty/', type: 'directory' },
        file('usr/bin/a', 'seven b'),
        file(`${MODULES}/modules.dep`, 'dep'),
        file(`${MODULES}/kernel/drivers/net/.wh.dummy.ko.xz`, ''),
        file(`${MODULES}/kernel/drivers/block/.wh..wh..opq`, ''),
        file('usr/share/.wh.nowhere', ''),
        { name: 'usr/bin/link', type: 'symlink', linkname: 'a' },
      ],
    ]);

    expect(brief(changes)).toEqual([
      '+ usr/bin/a 7',
      '+ usr/bin/link 0',
      `- ${MODULES}/kernel/drivers/block 0`,
      `- ${DUMMY} 0`,
      `~ ${MODULES}/modules.dep 3`,
      '+ usr/share/empty 0',
    ]);
    expect(changes[1]).toMatchObject({ type: 'symlink', target: 'a' });
    expect(changes[2]).toMatchObject({ isWholeDirectory: true });
    expect(changes[3]?.previousBytes).toBeGreaterThan(1000);
    expect(changes[4]?.previousBytes).toBeGreaterThan(100);
    expect(unread).toEqual([]);
  });

  it('takes a file that a layer removes and the next one brings back for replaced', async () => {
    const { changes } = await changesOf([
      [file(`${MODULES}/kernel/drivers/net/.wh.dummy.ko.xz`, '')],
      [file(DUMMY, 'new')],
    ]);

    expect(brief(changes)).toEqual([`~ ${DUMMY} 3`]);
  });

  it('leaves out what one layer brings and the next one removes', async () => {
    const { changes } = await changesOf([[file('usr/bin/a')], [file('usr/bin/.wh.a', '')]]);

    expect(changes).toEqual([]);
  });

  it('says that it does not know what layers hold that it did not read', async () => {
    const { changes, unread } = await changesOf([[file('usr/bin/a', 'a'), file(DUMMY, 'b')]], {
      isBaseRead: false,
    });

    expect(brief(changes)).toEqual(['? usr/bin/a 1', `? ${DUMMY} 1`]);
    expect(unread.length).toBeGreaterThan(1);
  });

  it('uses what was learnt of the base before', async () => {
    const io = makeTestIo();
    await lintImage(await layered(base, [[file('usr/bin/a')]]), {}, io);

    const { changes } = await changesOf(
      [[file(DUMMY, 'b'), file(`${MODULES}/extra/a.ko`, 'a'), file(`${MODULES}/modules.dep`, 'd')]],
      { isBaseRead: false, io },
    );

    expect(brief(changes)).toEqual([
      `+ ${MODULES}/extra/a.ko 1`,
      `~ ${DUMMY} 1`,
      `~ ${MODULES}/modules.dep 1`,
    ]);
  });
});
