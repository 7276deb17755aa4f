import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ResolveError } from '../../../src/errors.ts';
import { bundleManifests } from '../../../src/manifests/bundle-manifests.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseReference, type RegistryReference } from '../../../src/oci/reference.ts';
import { type Bundle, formatBundle, parseBundle } from '../../../src/push/bundle/bundle-manifest.ts';
import { createBundle } from '../../../src/push/bundle/create.ts';
import { importBundle, readBundle } from '../../../src/push/bundle/import.ts';
import { makeImages } from '../../../src/registry/images.ts';
import type { LayoutRepository } from '../../../src/registry/layout.ts';
import { keepSignatures } from '../../../src/resolve/signatures/find-signatures.ts';
import { parseSignatureMaps } from '../../../src/resolve/signatures/verification-policy.ts';
import { resolve } from '../../../src/resolve/resolve.ts';
import { makeTestIo } from '../../support/io.ts';
import { MemoryImages } from '../../support/memory-images.ts';
import { addImage, type ImageRecipe } from '../../support/synthetic-image.ts';
import { addForArches, addRelease, COMPONENTS, RELEASES } from '../../support/synthetic-release.ts';

const IMAGE: ImageRecipe = { layers: [[{ path: 'a', content: 'a' }]] };

let directory = '';
let images: MemoryImages;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  images = new MemoryImages();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (name: string) => images.at(parseReference(name));
const named = (name: string): RegistryReference => parseReference(name) as RegistryReference;
const archive = (purpose: 'read' | 'write'): Promise<LayoutRepository> =>
  makeImages({}).open(
    parseReference(`oci-archive:${directory}/bundle.tar`),
    purpose,
  ) as Promise<LayoutRepository>;

async function takenOver(names: readonly string[]): Promise<Awaited<ReturnType<typeof importBundle>>> {
  const io = makeTestIo({ images });
  await createBundle({ targets: [], images: names.map(named) }, await archive('write'), io);
  const from = await archive('read');
  return importBundle(await readBundle(from), { archive: from, prefix: 'site.example.com/m' }, io);
}

describe('A bundle', () => {
  it('has lists whole: their digests cover images of all architectures', async () => {
    const list = await addForArches(at('a.example.com/list'), [
      { ...IMAGE, arch: 'x86_64' },
      { ...IMAGE, arch: 'aarch64' },
    ]);

    await takenOver([`a.example.com/list@${list}`]);

    const there = at('site.example.com/m/list');
    expect(new Set(there.manifests.keys())).toEqual(new Set(at('a.example.com/list').manifests.keys()));
    expect([...there.tags.values()]).toEqual([list]);
  });

  it('keeps repositories of two hosts apart, and the tags that images were named by', async () => {
    for (const host of ['a.example.com', 'b.example.com:5000']) {
      const repository = at(`${host}/acme/nic`);
      repository.tag('1', await addImage(repository, { layers: [[{ path: 'a', content: host }]] }));
    }

    const imported = await takenOver(['a.example.com/acme/nic:1', 'b.example.com:5000/acme/nic:1']);

    expect(imported.map(({ repository, tag }) => `${repository}:${tag}`)).toEqual([
      'a-example-com/acme/nic:1',
      'b-example-com-5000/acme/nic:1',
    ]);
  });

  it('takes signatures of releases along, as clusters and "--release-signatures" read them', async () => {
    const io = makeTestIo({ images });
    const { release } = await addRelease({
      releases: images.at(RELEASES),
      components: images.at(COMPONENTS),
    });
    await keepSignatures(release, [Buffer.from('signed')], io);
    const targets = await resolve({ release: '4.18.4' }, io);

    const { signed } = await createBundle({ targets, images: [] }, await archive('write'), io);
    const bundle = await readBundle(await archive('read'));

    expect(signed).toEqual([release]);
    const maps = bundleManifests('a', { images: [], signatures: bundle.signatures });
    expect(maps.map(({ fileName }) => fileName)).toEqual(['release-signatures.yaml']);
    const read = parseSignatureMaps(Buffer.from(maps[0]?.yaml ?? ''), 'f');
    expect([...read].map(([digest, [bytes]]) => [digest, String(bytes)])).toEqual([[release, 'signed']]);
  });

  it('refuses a release without a signature, unless it was verified when it was locked', async () => {
    const missing = new ResolveError('SIGNATURE_MISSING', 'There is none');
    const io = makeTestIo({ images, releaseTrust: { verify: () => Promise.reject(missing) } });
    await addRelease({ releases: images.at(RELEASES), components: images.at(COMPONENTS) });
    const targets = await resolve({ release: '4.18.4' }, makeTestIo({ images }));
    const signed = targets.map((target) => ({
      ...target,
      release: { ...target.release, signedBy: ['A'.repeat(40)] },
    }));

    await expect(createBundle({ targets, images: [] }, await archive('write'), io)).rejects.toBe(missing);
    await createBundle({ targets: signed, images: [] }, await archive('write'), io);
    expect(io.events).toContainEqual(expect.objectContaining({ type: 'warning' }));
  });

  it('moves each blob once, and says before how much there is', async () => {
    const [one, other] = [at('a.example.com/one'), at('a.example.com/other')];
    one.tag('1', await addImage(one, IMAGE));
    other.tag('1', await addImage(other, IMAGE));
    const io = makeTestIo({ images });

    await createBundle(
      { targets: [], images: ['a.example.com/one:1', 'a.example.com/other:1'].map(named) },
      await archive('write'),
      io,
    );

    const reads = images.served.filter(({ call }) => call === 'readBlob');
    expect(new Set(reads.map(({ what }) => what)).size).toBe(reads.length);
    expect(io.events[0]).toMatchObject({
      type: 'transfer-planned',
      blobs: reads.length,
      sizeBytes: reads.reduce((sum, { bytes }) => sum + bytes, 0),
    });
  });

  it('is not there when it could not be finished', async () => {
    const repository = at('a.example.com/one');
    const digest = await addImage(repository, IMAGE);
    const [blob] = repository.blobs.keys();
    repository.blobs.set(blob!, Buffer.from('other'));

    await expect(takenOver([`a.example.com/one@${digest}`])).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    await expect(readFile(join(directory, 'bundle.tar'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('The description of a bundle', () => {
  const digest = parseDigest(`sha256:${'4d'.repeat(32)}`);
  const image = {
    ...{ name: '4.18.4-x86_64', digest, source: 'quay.io/a/b', repository: 'a/b', tag: '4.18.4-x86_64' },
    isTagged: true,
  };
  const parsed = (json: object): Bundle => parseBundle(Buffer.from(JSON.stringify(json)), 'a.tar');
  const valid = { schema: 'kmodlayer/bundle/v1', images: [image], signatures: [] };

  it('is what was written', () => {
    const bundle: Bundle = { ...parsed(valid), signatures: new Map([[digest, [Buffer.from('a')]]]) };

    expect(parseBundle(formatBundle(bundle), 'a.tar')).toEqual(bundle);
  });

  it.each([
    [{ ...valid, schema: 'kmodlayer/bundle/v2' }, 'form'],
    [{ ...valid, images: {} }, 'list'],
    [{ ...valid, images: [image, image] }, 'twice'],
    [{ ...valid, images: [{ ...image, repository: '../a' }] }, 'repository'],
    [{ ...valid, images: [{ ...image, repository: 'a:1' }] }, 'no repository'],
    [{ ...valid, images: [{ ...image, source: 'oci:dir' }] }, 'no repository'],
    [{ ...valid, images: [{ ...image, tag: 'a b' }] }, 'tag'],
    [{ ...valid, images: [{ ...image, digest: 'sha256:0' }] }, 'digest'],
    [{ ...valid, signatures: [{ digest, signatures: [1] }] }, 'text'],
  ])('refuses %j', (json, why) => {
    expect(() => parsed(json)).toThrow(
      expect.objectContaining({ code: 'LAYOUT_INVALID', message: expect.stringContaining(why) as string }),
    );
  });
});
