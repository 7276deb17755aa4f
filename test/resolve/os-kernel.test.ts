import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arch } from '../../src/oci/arch.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { openImage, type OpenedImage } from '../../src/oci/open-image.ts';
import { findKernelRelease } from '../../src/resolve/kernel-name.ts';
import { kernelOfPackages, osKernel } from '../../src/resolve/os-kernel.ts';
import { addImage, type Entry, type ImageRecipe, noise, tarOf } from '../support/synthetic-image.ts';
import {
  chunked,
  chunkedOsImage,
  KERNEL,
  metaJson,
  nodeOsImage,
  setUpResolve,
} from '../support/synthetic-release.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);
const FIXTURES = join(import.meta.dirname, '../../fixtures/releases');
const HOTFIX = '5.14.0-427.60.1.el9_4.x86_64';
const FIXED = { meta: JSON.stringify({ 'rpmdb.pkglist': [] }) };

async function kernelOf(recipe: ImageRecipe, arch: Arch = 'x86_64') {
  const world = setUpResolve();
  const image = await openImage(world.components, await addImage(world.components, recipe), arch);
  world.images.served.length = 0;
  const kernel = await osKernel(image, arch, world.io);
  return { ...world, image, kernel, layersRead: layersRead(image, world.images.served) };
}

function layersRead(image: OpenedImage, served: readonly { what: string }[]): readonly number[] {
  return served.map(({ what }) =>
    image.manifest.layers.findIndex(({ digest }) => digest === (what as Digest)),
  );
}

/** An encapsulated commit whose labels and history say nothing, in layers of known size. */
async function silent(
  layers: readonly (readonly Entry[])[],
  overrides: Partial<ImageRecipe> = {},
): Promise<ImageRecipe> {
  return {
    layers,
    labels: { 'ostree.final-diffid': digestOf(await tarOf(layers.at(-1) ?? [])) },
    ...overrides,
  };
}

describe('osKernel()', () => {
  it('believes meta.json when the label says that it is there', async () => {
    const { kernel, layersRead } = await kernelOf(await nodeOsImage());

    expect(kernel).toEqual({ release: KERNEL, source: 'meta.json' });
    expect(layersRead).toEqual([5]);
  });

  it('believes meta.json more than the commit that a node layer changed', async () => {
    const { kernel } = await kernelOf(await nodeOsImage({ kernel: HOTFIX, baseKernel: KERNEL }));

    expect(kernel.release).toBe(HOTFIX);
  });

  it.each(['false', '1', 'True', ''])('does not look for meta.json when the label is %j', async (value) => {
    const { kernel } = await kernelOf(
      await nodeOsImage({ kernel: HOTFIX, baseKernel: KERNEL, labels: { 'io.openshift.metalayer': value } }),
    );

    expect(kernel).toEqual({ release: KERNEL, source: 'history' });
  });

  it('reads the label ostree.linux and no layer of an encapsulated commit', async () => {
    const { kernel, layersRead } = await kernelOf(
      await chunkedOsImage({ labels: { 'ostree.linux': KERNEL }, history: [] }),
    );

    expect(kernel).toEqual({ release: KERNEL, source: 'ostree.linux' });
    expect(layersRead).toEqual([]);
  });

  it('does not take the word true for a kernel', async () => {
    const { kernel } = await kernelOf(await chunkedOsImage({ labels: { 'ostree.linux': 'true' } }));

    expect(kernel).toEqual({ release: KERNEL, source: 'history' });
  });

  it('looks into layers that were added to the commit before it believes the label', async () => {
    const recipe = await nodeOsImage({
      ...FIXED,
      labels: { 'ostree.linux': KERNEL },
      nodeFiles: [{ path: `usr/lib/modules/${HOTFIX}/vmlinuz`, content: 'kernel' }],
    });

    const { kernel } = await kernelOf(recipe);

    expect(kernel).toEqual({ release: HOTFIX, source: 'module-directory' });
  });

  it('believes the label when the layers that were added have no kernel', async () => {
    const recipe = await nodeOsImage({
      ...FIXED,
      labels: { 'ostree.linux': KERNEL },
      nodeFiles: [{ path: `usr/lib/modules/${HOTFIX}/extra/ice.ko`, content: 'module' }],
    });

    const { kernel, layersRead } = await kernelOf(recipe);

    expect(kernel).toEqual({ release: KERNEL, source: 'ostree.linux' });
    expect(layersRead).toEqual([5, 5, 4]);
  });

  it('does not believe a history that names two kernels', async () => {
    const { kernel } = await kernelOf(
      await chunkedOsImage({ history: ['a', 'b', `kernel-core-${KERNEL}`, `initramfs (kernel ${HOTFIX})`] }),
    );

    expect(kernel).toEqual({ release: KERNEL, source: 'module-directory' });
  });

  it('finds the directory in the small layer of the commit, which lists all directories', async () => {
    const { kernel, layersRead } = await kernelOf(await chunkedOsImage({ history: [] }));

    expect(kernel).toEqual({ release: KERNEL, source: 'module-directory' });
    expect(layersRead).toEqual([0]);
  });

  it('looks at the chunk that is named after the kernel, then at the last, then at the large ones', async () => {
    const modules = `usr/lib/modules/${KERNEL}`;
    const layers: readonly (readonly Entry[])[] = [
      [{ path: 'usr', directory: true }],
      chunked('usr/bin/small', noise(1_000)),
      [{ path: modules, directory: true }, ...chunked(`${modules}/vmlinuz`, noise(2_000))],
      chunked('usr/bin/large', noise(9_000)),
      chunked('usr/bin/last', noise(500)),
    ];
    const annotated = {
      layerAnnotations: [undefined, undefined, { 'ostree.components': 'kernel-core,kmod' }],
    };

    const unnamed = await kernelOf(await silent(layers));
    const named = await kernelOf(await silent(layers, annotated));

    expect(unnamed.layersRead).toEqual([0, 4, 3, 2]);
    expect(named.layersRead).toEqual([0, 2]);
  });

  it('does not take the directory of a few modules for that of a kernel', async () => {
    const { kernel } = await kernelOf(
      await silent([
        [
          { path: `usr/lib/modules/${HOTFIX}`, directory: true },
          { path: `usr/lib/modules/${KERNEL}`, directory: true },
        ],
        [
          { path: `usr/lib/modules/${HOTFIX}/extra/ice.ko`, content: 'module' },
          { path: `usr/lib/modules/${HOTFIX}/modules.dep`, content: '' },
          { path: `usr/lib/modules/${KERNEL}/vmlinuz`, content: 'kernel' },
        ],
      ]),
    );

    expect(kernel.release).toBe(KERNEL);
  });

  it('looks through an image without an encapsulated commit from its newest layer on', async () => {
    const { kernel, layersRead } = await kernelOf({
      layers: [
        [{ path: `usr/lib/modules/${KERNEL}/vmlinuz`, content: 'old' }],
        [{ path: `usr/lib/modules/${HOTFIX}/vmlinuz`, content: 'new' }],
        [{ path: 'usr/bin/kubelet', content: 'kubelet' }],
      ],
    });

    expect(kernel.release).toBe(HOTFIX);
    expect(layersRead).toEqual([2, 1]);
  });

  it('leaves a layer as soon as the kernel is found', async () => {
    const { images } = await kernelOf({
      layers: [
        [
          { path: `usr/lib/modules/${KERNEL}/vmlinuz`, content: 'kernel' },
          { path: 'usr/bin/large', content: noise(8 * 1024 ** 2) },
        ],
      ],
    });

    expect(images.served.map(({ bytes }) => bytes)).toEqual([expect.any(Number)]);
    expect(images.served[0]?.bytes).toBeLessThan(5 * 1024 ** 2);
  });

  it('remembers what it learnt of layers that it read to the end', async () => {
    const recipe = await nodeOsImage();
    const { components, images, image, io } = await kernelOf(recipe);
    images.served.length = 0;

    const kernel = await osKernel(image, 'x86_64', io);

    expect(kernel).toEqual({ release: KERNEL, source: 'meta.json' });
    expect(images.served).toEqual([]);
    expect(components.blobs.size).toBeGreaterThan(0);
  });

  it('does not remember what nothing has checked', async () => {
    const { cache } = await kernelOf({
      layers: [[{ path: `usr/lib/modules/${KERNEL}/vmlinuz`, content: 'kernel' }]],
    });

    expect([...cache.entries.keys()]).toEqual([]);
  });

  it('asks again when a cached entry says something that is no kernel', async () => {
    const { image, cache, io } = await kernelOf(await nodeOsImage());
    for (const key of cache.entries.keys()) cache.entries.set(key, Buffer.from('../../etc'));

    const kernel = await osKernel(image, 'x86_64', io);

    expect(kernel.release).toBe(KERNEL);
  });

  it('does not take the kernel of another architecture', async () => {
    const arm = KERNEL.replace('x86_64', 'aarch64');

    const { kernel } = await kernelOf(
      await chunkedOsImage({ arch: 'aarch64', kernel: arm, labels: { 'ostree.linux': KERNEL } }),
      'aarch64',
    );

    expect(kernel).toEqual({ release: arm, source: 'history' });
  });

  it('says so when no layer has a kernel', async () => {
    const finding = kernelOf({ layers: [[{ path: 'usr/bin/bash', content: 'bash' }]] });

    await expect(finding).rejects.toMatchObject({ code: 'KERNEL_UNKNOWN' });
  });
});

describe('kernels of real images', () => {
  const labels = JSON.parse(readFileSync(join(FIXTURES, 'image-config-labels.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;

  it.each(Object.entries(labels))('the label of %s is a kernel release, or absent', (_, own) => {
    const label = own['ostree.linux'];

    expect(findKernelRelease(label, 'x86_64')).toBe(label);
  });

  const { rows } = JSON.parse(readFileSync(join(FIXTURES, 'kernel-version-fixtures.json'), 'utf8')) as {
    rows: { kernel: string }[];
  };

  it.each(rows)('$kernel comes out of meta.json as it is', ({ kernel }) => {
    expect(kernelOfPackages(Buffer.from(metaJson(kernel)), 'x86_64')).toBe(kernel);
  });
});

describe('findKernelRelease()', () => {
  it.each([
    ['5.14.0-427.50.1.el9_4.x86_64', 'x86_64'],
    ['5.14.0-427.50.1.el9_4.x86_64+rt', 'x86_64'],
    ['5.14.0-427.50.1.el9_4.aarch64+64k', 'aarch64'],
    ['6.1.0-56-rt-amd64', 'x86_64'],
    ['6.12.117+deb12-amd64', 'x86_64'],
  ] as const)('takes %s on %s', (text, arch) => {
    expect(findKernelRelease(text, arch)).toBe(text);
  });

  it.each(['true', '', '5.14.0', '5.14.0-427', '5.14.0-1 .x86_64', `5.14.0-${'1'.repeat(300)}.x86_64`, 1])(
    'does not take %j',
    (text) => {
      expect(findKernelRelease(text, 'x86_64')).toBeUndefined();
    },
  );
});

describe('kernelOfPackages()', () => {
  const of = (...list: readonly unknown[]) =>
    kernelOfPackages(Buffer.from(JSON.stringify({ 'rpmdb.pkglist': list })), 'x86_64');

  it('prefers kernel-core to kernel', () => {
    const kernel = of(
      ['kernel', '0', '5.14.0', '1.el9', 'x86_64'],
      ['kernel-core', '0', '5.14.0', '2.el9', 'x86_64'],
    );

    expect(kernel).toBe('5.14.0-2.el9.x86_64');
  });

  it('takes kernel when there is no kernel-core', () => {
    expect(of(['kernel', '0', '5.14.0', '1.el9', 'x86_64'])).toBe('5.14.0-1.el9.x86_64');
  });

  it('does not add an architecture to a release that says it, as Debian does', () => {
    expect(of(['kernel-core', '0', '6.1.0', '56-amd64', 'x86_64'])).toBe('6.1.0-56-amd64');
  });

  it.each([
    [
      'two kernels',
      [
        ['kernel-core', '0', '5.14.0', '1', 'x86_64'],
        ['kernel-core', '0', '5.14.0', '2', 'x86_64'],
      ],
    ],
    ['another architecture', [['kernel-core', '0', '5.14.0', '1', 'aarch64']]],
    ['numbers', [['kernel-core', 0, 5, 14, 'x86_64']]],
    ['a path', [['kernel-core', '0', '5.14.0', '../../x', 'x86_64']]],
    ['nothing', []],
  ])('finds nothing in a list of %s', (_, list) => {
    expect(of(...list)).toBeUndefined();
  });

  it('gives a kernel or nothing, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.constant('{"rpmdb.pkglist":[["kernel"]]}')), (text) => {
        const kernel = kernelOfPackages(Buffer.from(text), 'x86_64');

        expect(kernel === undefined || kernel.endsWith('x86_64')).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
