import { describe, expect, it } from 'vitest';
import type { Arch } from '../../src/oci/arch.ts';
import { parseManifest, rawManifest, type RawManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag, type Tag } from '../../src/oci/tag.ts';
import { type IndexEntry, pushIndex } from '../../src/push/push-index.ts';
import { MemoryRepository } from '../support/memory-images.ts';

const TAG = parseTag('4.18.4');
const PLACE = parseReference('registry.example.com/acme/kmod');

const entryOf = (arch: Arch): IndexEntry => ({
  arch,
  manifest: rawManifest({ schemaVersion: 2, annotations: { arch } }, MEDIA_TYPES.oci.manifest),
});

/** A repository in which another run does something right after each write of ours. */
class Contested extends MemoryRepository {
  after: () => Promise<unknown> = () => Promise.resolve();

  override async writeManifest(manifest: RawManifest, tag?: Tag): Promise<void> {
    await super.writeManifest(manifest, tag);
    await this.after();
  }
}

async function archesOf(to: MemoryRepository): Promise<readonly (string | undefined)[]> {
  const manifest = parseManifest(await to.getManifest(TAG));
  return manifest.kind === 'index' ? manifest.manifests.map(({ platform }) => platform?.architecture) : [];
}

describe('pushIndex()', () => {
  it('takes the entries of another run that writes over ours, and puts ours beside them', async () => {
    const to = new Contested(PLACE);
    const other = new MemoryRepository(PLACE);
    await pushIndex(other, TAG, [entryOf('aarch64')]);
    let times = 0;
    to.after = async () => {
      times++;
      if (times > 1) return;
      const [theirs] = other.manifests.values();
      to.manifests.set(theirs!.digest, theirs!);
      to.tags.set(TAG, theirs!.digest);
    };

    const { digest, wasThere } = await pushIndex(to, TAG, [entryOf('x86_64')]);

    expect(await archesOf(to)).toEqual(['arm64', 'amd64']);
    expect([to.tags.get(TAG), wasThere]).toEqual([digest, false]);
  });

  it('writes nothing when all is there', async () => {
    const to = new Contested(PLACE);
    await pushIndex(to, TAG, [entryOf('aarch64'), entryOf('x86_64')]);
    to.after = () => Promise.reject(new Error('written'));

    expect(await pushIndex(to, TAG, [entryOf('x86_64')])).toMatchObject({ wasThere: true });
  });

  it('gives up when the tag is always written over', async () => {
    const to = new Contested(PLACE);
    to.after = async () => to.tags.delete(TAG);

    await expect(pushIndex(to, TAG, [entryOf('x86_64')])).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message:
        'Cannot put x86_64 into registry.example.com/acme/kmod:4.18.4: other runs write over it each time',
    });
  });
});
