import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/oci/digest.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { STREAM_CLASS } from '../../src/resolve/streams.ts';
import { addImage, type ImageRecipe } from '../support/synthetic-image.ts';
import {
  addRelease,
  chunkedOsImage,
  KERNEL,
  nodeOsImage,
  payloadEntries,
  type PayloadTag,
  setUpResolve,
  toolkitImage,
} from '../support/synthetic-release.ts';

const KERNEL_10 = '6.12.0-124.8.1.el10_1.x86_64';

/** A release with rhel-9 and rhel-10, as payloads from 4.22 on are. */
async function addDualStream(
  { releases, components }: ReturnType<typeof setUpResolve>,
  { isAnnotated = true, toolkit10 = toolkitImage({ kernel: KERNEL_10, rhel: '10.1' }) } = {},
) {
  const add = (recipe: ImageRecipe): Promise<Digest> => addImage(components, recipe);
  const annotated = (stream: string, machineOs: string): Record<string, string> => ({
    'io.openshift.build.versions': `machine-os=${machineOs}`,
    ...(isAnnotated ? { [STREAM_CLASS]: stream } : {}),
  });
  const nine = await add(await nodeOsImage({ labels: { [STREAM_CLASS]: 'rhel-9' } }));
  const ten = await add(await nodeOsImage({ kernel: KERNEL_10, labels: { [STREAM_CLASS]: 'rhel-10' } }));
  const tags: readonly PayloadTag[] = [
    { name: 'rhel-coreos', digest: nine, annotations: annotated('rhel-9', '9.4.20260403-0') },
    { name: 'rhel-coreos-10', digest: ten, annotations: annotated('rhel-10', '10.1.20260328-0') },
    { name: 'driver-toolkit', digest: await add(toolkitImage({ labels: { [STREAM_CLASS]: 'rhel-9' } })) },
    { name: 'driver-toolkit-10', digest: await add(toolkit10) },
  ];
  const release = await addImage(releases, { layers: [payloadEntries('4.22.3', tags)] });
  releases.tag('4.22.3-x86_64', release);
  return { nine, ten };
}

describe('resolve() of a release with two streams', () => {
  it('takes the default stream, and opens no image of the other', async () => {
    const world = setUpResolve();
    const { nine, ten } = await addDualStream(world);

    const targets = await resolve({ release: '4.22.3' }, world.io);

    expect(targets.map(({ stream, osImage }) => [stream, osImage.digest])).toEqual([['rhel-9', nine]]);
    expect(world.images.served.map(({ what }) => what)).not.toContain(ten);
  });

  it.each([true, false])(
    'gives each stream its own images and kernel (annotated: %s)',
    async (isAnnotated) => {
      const world = setUpResolve();
      await addDualStream(world, { isAnnotated });

      const targets = await resolve({ release: '4.22.3', streams: ['rhel-10', 'rhel-9'] }, world.io);

      expect(
        targets.map(({ stream, osImage, driverToolkit, rhelVersion }) => [
          stream,
          osImage.kernel,
          driverToolkit.name,
          rhelVersion,
        ]),
      ).toEqual([
        ['rhel-10', KERNEL_10, 'driver-toolkit-10', '10.1'],
        ['rhel-9', KERNEL, 'driver-toolkit', '9.4'],
      ]);
    },
  );

  it('names the streams that are there when another one is asked for', async () => {
    const world = setUpResolve();
    await addDualStream(world);

    const resolving = resolve({ release: '4.22.3', streams: ['rhel-8'] }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'STREAM_UNKNOWN',
      hint: 'Streams of this release: rhel-9, rhel-10.',
    });
  });

  it('refuses a driver-toolkit whose label is of the other stream', async () => {
    const world = setUpResolve();
    const toolkit10 = toolkitImage({ kernel: KERNEL_10, rhel: '', labels: { [STREAM_CLASS]: 'rhel-9' } });
    await addDualStream(world, { toolkit10 });

    const resolving = resolve({ release: '4.22.3', streams: ['rhel-10'] }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'KERNEL_MISMATCH' });
  });
});

describe('resolve() of a release with one stream', () => {
  it('believes the label of the image more than its name', async () => {
    const world = setUpResolve();
    await addRelease(world, { osImage: await chunkedOsImage({ labels: { [STREAM_CLASS]: 'rhel-11' } }) });

    const targets = await resolve({ release: '4.18.4' }, world.io);

    expect(targets[0]?.stream).toBe('rhel-11');
  });

  it('refuses a driver-toolkit for another kernel', async () => {
    const world = setUpResolve();
    await addRelease(world, { toolkit: toolkitImage({ kernel: '5.14.0-460.el9.x86_64' }) });

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'KERNEL_MISMATCH',
      message: expect.stringContaining(
        `kernel ${KERNEL}, its driver-toolkit 5.14.0-460.el9.x86_64`,
      ) as string,
    });
  });

  it('refuses a driver-toolkit for another minor of RHEL', async () => {
    const world = setUpResolve();
    await addRelease(world, { toolkit: toolkitImage({ rhel: '9.6' }) });

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'KERNEL_MISMATCH',
      message: expect.stringContaining('RHEL version 9.4, its driver-toolkit 9.6') as string,
    });
  });

  it('refuses a flavour that the release does not have', async () => {
    const world = setUpResolve();
    await addRelease(world);

    const resolving = resolve({ release: '4.18.4', kernels: ['64k'] }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'FLAVOUR_UNSUPPORTED' });
  });

  it('stops when it is told to', async () => {
    const world = setUpResolve();
    await addRelease(world);

    const resolving = resolve({ release: '4.18.4' }, { ...world.io, signal: AbortSignal.abort() });

    await expect(resolving).rejects.toMatchObject({ name: 'AbortError' });
  });
});
