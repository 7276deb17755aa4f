import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../src/oci/open-image.ts';
import { parseToolkitRelease, toolkitFacts, toolkitFactsOfLabels } from '../../src/resolve/driver-toolkit.ts';
import { addImage, type Entry, type ImageRecipe, noise } from '../support/synthetic-image.ts';
import { KERNEL, setUpResolve, toolkitImage } from '../support/synthetic-release.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);
const JSON_FILE = 'etc/driver-toolkit-release.json';

function parse(json: Record<string, unknown>, arch: 'x86_64' | 'aarch64' = 'x86_64') {
  return parseToolkitRelease(Buffer.from(JSON.stringify(json)), arch);
}

async function factsOf(recipe: ImageRecipe) {
  const world = setUpResolve();
  const image = await openImage(world.components, await addImage(world.components, recipe), 'x86_64');
  world.images.served.length = 0;
  const facts = await toolkitFacts(image, 'x86_64', world.io);
  const layersRead = world.images.served.map(({ what }) =>
    image.manifest.layers.findIndex(({ digest }) => digest === what),
  );
  return { ...world, image, facts, layersRead };
}

describe('parseToolkitRelease()', () => {
  it('reads the file as it is from 4.16 on', () => {
    const facts = parse({
      KERNEL_VERSION: KERNEL,
      RT_KERNEL_VERSION: `${KERNEL}+rt`,
      RHEL_VERSION: '9.4',
    });

    expect(facts).toEqual({ kernel: KERNEL, rtKernel: `${KERNEL}+rt`, rhelVersion: '9.4' });
  });

  it('adds the mark of a real-time kernel that shares its source with the default one', () => {
    const facts = parse({ KERNEL_VERSION: KERNEL, RT_KERNEL_VERSION: KERNEL });

    expect(facts?.rtKernel).toBe(`${KERNEL}+rt`);
  });

  it('leaves the name of a real-time kernel with a version of its own', () => {
    const rt = '4.18.0-305.17.1.rt7.89.el8_4.x86_64';

    const facts = parse({ KERNEL_VERSION: '4.18.0-305.17.1.el8_4.x86_64', RT_KERNEL_VERSION: rt });

    expect(facts?.rtKernel).toBe(rt);
  });

  it.each([undefined, '', 'package kernel-rt-core is not installed', null, 5])(
    'takes %j for no real-time kernel',
    (rt) => {
      const facts = parse({ KERNEL_VERSION: KERNEL, RT_KERNEL_VERSION: rt, RHEL_VERSION: '9.4' });

      expect(facts).toEqual({ kernel: KERNEL, rtKernel: undefined, rhelVersion: '9.4' });
    },
  );

  it('adds the architecture of the target where it is missing', () => {
    const facts = parse(
      { KERNEL_VERSION: '4.18.0-240.22.1.el8_3', RT_KERNEL_VERSION: '4.18.0-240.22.1.rt7.77.el8_3' },
      'aarch64',
    );

    expect(facts).toMatchObject({
      kernel: '4.18.0-240.22.1.el8_3.aarch64',
      rtKernel: '4.18.0-240.22.1.rt7.77.el8_3.aarch64',
    });
  });

  it('does not turn the kernel of one architecture into one of another', () => {
    expect(parse({ KERNEL_VERSION: KERNEL }, 'aarch64')).toBeUndefined();
  });

  it.each(['', '9-stream', undefined, 9.4])('takes %j for no RHEL version', (rhel) => {
    expect(parse({ KERNEL_VERSION: KERNEL, RHEL_VERSION: rhel })?.rhelVersion).toBe('');
  });

  it.each([
    {},
    { KERNEL_VERSION: '' },
    { KERNEL_VERSION: 'package kernel-devel is not installed' },
    { KERNEL_VERSION: '5.14.0-1/../../etc' },
  ])('finds no kernel in %j', (json) => {
    expect(parse(json)).toBeUndefined();
  });

  it('gives facts or nothing, whatever the bytes are', () => {
    const keys = fc.constantFrom('KERNEL_VERSION', 'RT_KERNEL_VERSION', 'RHEL_VERSION');
    const nearly = fc.dictionary(keys, fc.anything()).map((json) => JSON.stringify(json));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), nearly), (text) => {
        const facts = parseToolkitRelease(Buffer.from(text), 'x86_64');

        expect(facts === undefined || facts.kernel.includes('x86_64')).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('toolkitFactsOfLabels()', () => {
  it('reads the labels of newer images', () => {
    const facts = toolkitFactsOfLabels(
      { 'kernel-version': KERNEL, 'kernel-rt-version': `${KERNEL}+rt` },
      'x86_64',
    );

    expect(facts).toEqual({ kernel: KERNEL, rtKernel: `${KERNEL}+rt`, rhelVersion: '' });
  });

  it('takes empty labels for none', () => {
    expect(toolkitFactsOfLabels({ 'kernel-version': '', 'kernel-rt-version': '' }, 'x86_64')).toBeUndefined();
  });
});

describe('toolkitFacts()', () => {
  const file: readonly Entry[] = [
    { path: `./${JSON_FILE}`, content: JSON.stringify({ KERNEL_VERSION: KERNEL, RHEL_VERSION: '9.4' }) },
  ];

  it('reads the last layer, which is small, and no other', async () => {
    const { facts, layersRead } = await factsOf(toolkitImage());

    expect(facts).toMatchObject({ kernel: KERNEL, source: 'driver-toolkit-release.json' });
    expect(layersRead).toEqual([2]);
  });

  it('finds the file below layers that a build system put on top, small ones first', async () => {
    const { facts, layersRead } = await factsOf({
      layers: [[], file, [{ path: 'a', content: noise(50_000) }], [{ path: 'b', content: noise(3_000) }]],
    });

    expect(facts.kernel).toBe(KERNEL);
    expect(layersRead).toEqual([0, 1]);
  });

  it('goes first to the layer whose build step wrote the file', async () => {
    const { layersRead } = await factsOf({
      layers: [[...file, { path: 'a', content: noise(50_000) }], [], []],
      history: [`RUN echo "{...}" > /${JSON_FILE}`, 'COPY', 'LABEL'],
    });

    expect(layersRead).toEqual([0]);
  });

  it('asks labels before it looks deeper than the last layers', async () => {
    const layers = [file, [], [], [], []];

    const labelled = await factsOf({ layers, labels: { 'kernel-version': KERNEL } });
    const silent = await factsOf({ layers, labels: { 'kernel-version': '' } });

    expect(labelled.facts).toMatchObject({ kernel: KERNEL, source: 'driver-toolkit-labels' });
    expect(silent.facts).toMatchObject({ kernel: KERNEL, source: 'driver-toolkit-release.json' });
  });

  it('falls back to labels when the file is damaged', async () => {
    const { facts } = await factsOf(toolkitImage({ json: '{', labels: { 'kernel-version': KERNEL } }));

    expect(facts).toMatchObject({ kernel: KERNEL, source: 'driver-toolkit-labels' });
  });

  it('remembers the file of a layer that it read to the end', async () => {
    const { image, images, io } = await factsOf(toolkitImage());
    images.served.length = 0;

    const facts = await toolkitFacts(image, 'x86_64', io);

    expect(facts.kernel).toBe(KERNEL);
    expect(images.served).toEqual([]);
  });

  it('says so when nothing names a kernel', async () => {
    const finding = factsOf(toolkitImage({ json: '{"KERNEL_VERSION":""}' }));

    await expect(finding).rejects.toMatchObject({ code: 'KERNEL_UNKNOWN' });
  });
});
