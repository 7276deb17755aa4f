import { describe, expect, it } from 'vitest';
import { makePinnedImageSet } from '../../src/manifests/pinned-image-set.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('pinnedimagesets.yaml', 'v1');
const DIGEST = `sha256:${'4d'.repeat(32)}`;
const IMAGE = `quay.io/acme/ice@${DIGEST}`;
const OPTIONS = { name: 'worker-ice', pool: 'worker', images: [IMAGE] };

describe('makePinnedImageSet()', () => {
  it('has the label of its pool, and each image once, without tags', () => {
    const images = [IMAGE, `docker://quay.io/acme/ice:1@${DIGEST}`, `r.example.com:5000/b@${DIGEST}`];

    const set = makePinnedImageSet({ ...OPTIONS, images });

    expectKept(set, check);
    expect(set).toMatchObject({
      metadata: { labels: { 'machineconfiguration.openshift.io/role': 'worker' } },
      spec: { pinnedImages: [{ name: IMAGE }, { name: `r.example.com:5000/b@${DIGEST}` }] },
    });
  });

  it.each([
    'quay.io/acme/ice:1',
    'quay.io/acme/ice',
    `oci:dir@${DIGEST}`,
    `quay.io/a/b/c@${DIGEST}`,
    `quay.io/a.b/c@${DIGEST}`,
    `localhost:5000/a@${DIGEST}`,
    `[::1]:5000/a@${DIGEST}`,
  ])('refuses image %s', (image) => {
    expect(problemsOf(makePinnedImageSet, { ...OPTIONS, images: [IMAGE, image] })).toEqual(['images[1]']);
  });

  it('takes as many as its definition', () => {
    const images = (count: number): readonly string[] =>
      Array.from({ length: count }, (_, at) => `quay.io/acme/${at}@${DIGEST}`);

    expectKept(makePinnedImageSet({ ...OPTIONS, images: images(500) }), check);
    expect(problemsOf(makePinnedImageSet, { ...OPTIONS, images: images(501) })).toEqual(['images']);
    expect(problemsOf(makePinnedImageSet, { ...OPTIONS, images: [] })).toEqual(['images']);
  });

  it('refuses or renders any value of any option', () => {
    expectRefusedOrValid({ make: makePinnedImageSet, valid: OPTIONS, check });
  });
});
