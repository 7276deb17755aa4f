import { beforeAll, describe, expect, it } from 'vitest';
import { MEDIA_TYPES } from '../../../src/oci/media-type.ts';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import { file, layered, openQuickstart } from '../../support/layered-image.ts';
import { brief, lint } from './support.ts';

let base: OpenedImage;
const good = [file('usr/share/doc/readme')];

beforeAll(async () => {
  base = await openQuickstart();
});

function withConfig(image: OpenedImage, change: Partial<OpenedImage['config']>): OpenedImage {
  return { ...image, config: { ...image.config, ...change } };
}

function without(image: OpenedImage, label: string): OpenedImage {
  const labels = Object.fromEntries(Object.entries(image.config.labels).filter(([key]) => key !== label));
  return withConfig(image, { labels });
}

describe('rules on manifest and config', () => {
  it.each<[string, (image: OpenedImage) => OpenedImage, readonly string[]]>([
    [
      'fewer diff_ids than layers',
      (image) => withConfig(image, { diffIds: image.config.diffIds.slice(0, -1) }),
      ['error layers-mismatch'],
    ],
    [
      'a history that is too short',
      (image) => withConfig(image, { history: image.config.history.slice(0, -1) }),
      ['error layers-mismatch'],
    ],
    ['no history', (image) => withConfig(image, { history: [] }), ['warning layers-mismatch']],
    [
      'a diff_id of another layer',
      (image) =>
        withConfig(image, { diffIds: [...image.config.diffIds.slice(0, -1), image.config.diffIds[0]!] }),
      ['error diff-id-mismatch'],
    ],
    [
      'no label that says that it boots',
      (image) => without(without(image, 'ostree.bootable'), 'containers.bootc'),
      ['error bootable-label-missing'],
    ],
    [
      'the name of another kernel',
      (image) => withConfig(image, { labels: { ...image.config.labels, 'ostree.linux': '5.14.0-1.x86_64' } }),
      ['warning linux-label-disagrees'],
    ],
    [
      'ostree.linux=true, as from 4.22 on',
      (image) => withConfig(image, { labels: { ...image.config.labels, 'ostree.linux': 'true' } }),
      [],
    ],
    ['no architecture', (image) => withConfig(image, { architecture: '' }), ['error architecture-missing']],
    [
      'a time that is none',
      (image) => withConfig(image, { json: { ...image.config.json, created: 'yesterday' } }),
      ['warning created-invalid'],
    ],
    [
      'a layer of the other family',
      (image) => ({
        ...image,
        manifest: {
          ...image.manifest,
          layers: image.manifest.layers.map((layer, at) =>
            at === 0 ? layer : { ...layer, mediaType: MEDIA_TYPES.docker.layerGzip },
          ),
        },
      }),
      ['error mixed-media-types'],
    ],
    [
      'a layer packed with zstd',
      (image) => ({
        ...image,
        manifest: {
          ...image.manifest,
          layers: [
            ...image.manifest.layers.slice(0, -1),
            { ...image.manifest.layers.at(-1)!, mediaType: MEDIA_TYPES.oci.layerZstd },
          ],
        },
      }),
      ['warning layer-compression'],
    ],
    [
      'more layers than can be mounted',
      (image) => ({
        ...image,
        manifest: {
          ...image.manifest,
          layers: [
            ...Array.from({ length: 120 }, () => image.manifest.layers[0]!),
            image.manifest.layers.at(-1)!,
          ],
        },
        config: {
          ...image.config,
          labels: { ...image.config.labels, 'ostree.final-diffid': image.config.diffIds[0]! },
          diffIds: [
            ...Array.from({ length: 120 }, () => image.config.diffIds[0]!),
            image.config.diffIds.at(-1)!,
          ],
          history: Array.from({ length: 121 }, () => ({ createdBy: 'step', isEmpty: false })),
        },
      }),
      ['warning too-many-layers'],
    ],
  ])('%s', async (_, change, expected) => {
    const image = await layered(base, [[file('usr/share/doc/readme')]]);

    expect(brief(await lint(change(image), { layers: 1 }))).toEqual(expected);
  });

  it('does not look at layers when nothing says where the base ends', async () => {
    const image = await layered(base, [good]);
    const labels = { ...image.config.labels, 'ostree.final-diffid': `sha256:${'0'.repeat(64)}` };

    expect(brief(await lint(withConfig(image, { labels })))).toEqual([
      'error base-unknown',
      'error final-diffid-dangling',
    ]);
    expect(brief(await lint(without(image, 'ostree.final-diffid'), { base }))).toEqual([
      'error final-diffid-missing',
    ]);
    expect(brief(await lint(base, { base: image }))).toEqual(['error base-unknown']);
  });

  it('takes a base of plain layers, as bootc boots them', async () => {
    const image = await layered(base, [good]);
    const plain = without(without(image, 'ostree.final-diffid'), 'ostree.commit');

    expect(
      brief(
        await lint(withConfig(plain, { labels: { ...plain.config.labels, 'containers.bootc': '1' } }), {
          base,
        }),
      ),
    ).toEqual(['warning final-diffid-missing']);
  });

  it('finds a layer of ours before the last one of the commit', async () => {
    const image = await layered(base, [good, [file('usr/share/doc/readme')]]);
    const at = base.config.history.length;
    const moved = withConfig(image, {
      labels: { ...image.config.labels, 'ostree.final-diffid': image.config.diffIds.at(-1)! },
      history: image.config.history.map((step, index) =>
        index === at ? { ...step, createdBy: 'kmodlayer: hello 1.0 for 6.1' } : step,
      ),
    });

    expect(brief(await lint(moved))).toEqual(['error layer-order']);
  });
});
