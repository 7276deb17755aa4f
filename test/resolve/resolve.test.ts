import { describe, expect, it } from 'vitest';
import { formatReference, pinned } from '../../src/oci/reference.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { addImage } from '../support/synthetic-image.ts';
import {
  addRelease,
  COMPONENTS,
  KERNEL,
  nodeOsImage,
  payloadEntries,
  setUpResolve,
} from '../support/synthetic-release.ts';

describe('resolve()', () => {
  it('resolves a version to digests and kernels', async () => {
    const world = setUpResolve();
    const { release, osImage, toolkit, extensions } = await addRelease(world);

    const targets = await resolve({ release: '4.18.4' }, world.io);

    expect(targets).toEqual([
      {
        release: {
          version: '4.18.4',
          digest: release,
          reference: {
            transport: 'docker',
            host: 'quay.io',
            repository: 'openshift-release-dev/ocp-release',
            digest: release,
          },
        },
        arch: 'x86_64',
        stream: 'rhel-9',
        osImage: {
          name: 'rhel-coreos',
          digest: osImage,
          reference: pinned(COMPONENTS, osImage),
          location: pinned(COMPONENTS, osImage),
          kernel: KERNEL,
          kernelSource: 'history',
          machineOs: '418.94.202501010000-0',
        },
        extensions: {
          name: 'rhel-coreos-extensions',
          digest: extensions,
          reference: pinned(COMPONENTS, extensions),
          location: pinned(COMPONENTS, extensions),
        },
        driverToolkit: {
          name: 'driver-toolkit',
          digest: toolkit,
          reference: pinned(COMPONENTS, toolkit),
          location: pinned(COMPONENTS, toolkit),
          kernel: KERNEL,
          rtKernel: `${KERNEL}+rt`,
          rhelVersion: '9.4',
        },
        kernels: [
          { flavour: 'default', release: KERNEL, isInOsImage: true },
          { flavour: 'rt', release: `${KERNEL}+rt`, isInOsImage: false },
        ],
        rhelVersion: '9.4',
      },
    ]);
  });

  it('asks for manifests, configs and the layers it must look into, and nothing else', async () => {
    const world = setUpResolve();
    await addRelease(world, { osImage: await nodeOsImage() });

    await resolve({ release: '4.18.4' }, world.io);

    // Release: manifest, layer. OS image: manifest, config, meta.json. Toolkit: manifest, config, JSON.
    expect(world.images.served.map(({ call }) => call).toSorted()).toEqual([
      ...Array.from({ length: 3 }, () => 'getManifest'),
      ...Array.from({ length: 5 }, () => 'readBlob'),
    ]);
    expect(world.images.served.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(20_000);
  });

  it('says what told it the kernel', async () => {
    const world = setUpResolve();
    await addRelease(world);

    await resolve({ release: '4.18.4' }, world.io);

    expect(world.events).toEqual([
      {
        type: 'detail',
        message: `4.18.4 (x86_64, rhel-9): kernel ${KERNEL} by history of rhel-coreos, driver-toolkit by driver-toolkit-release.json`,
      },
    ]);
  });

  it('resolves a release by pullspec, tag or digest', async () => {
    const world = setUpResolve();
    const { release } = await addRelease(world);
    const name = formatReference(pinned(world.releases.reference, release));

    const byDigest = await resolve({ release: name }, world.io);
    const byTag = await resolve(
      { release: 'quay.io/openshift-release-dev/ocp-release:4.18.4-x86_64' },
      world.io,
    );

    expect(byTag).toEqual(byDigest);
    expect(byDigest[0]?.release.digest).toBe(release);
  });

  it('refuses a tag whose payload is another version', async () => {
    const world = setUpResolve();
    await addRelease(world, { version: '4.18.5', tag: '4.18.4-x86_64' });

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('its payload says 4.18.5') as string,
    });
  });

  it('says which component image a mirror lacks', async () => {
    const world = setUpResolve();
    const { osImage } = await addRelease(world);
    world.components.manifests.delete(osImage);

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'IMAGE_MISSING',
      message: expect.stringContaining('rhel-coreos of release 4.18.4') as string,
    });
  });

  it('refuses an image that is not a release', async () => {
    const world = setUpResolve();
    const digest = await addImage(world.releases, { layers: [[{ path: 'usr/a', content: 'a' }]] });

    const resolving = resolve({ release: digest }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('refuses releases before 4.12 without asking anybody', async () => {
    const world = setUpResolve();

    const resolving = resolve({ release: '4.11.50' }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'RELEASE_INVALID' });
    expect(world.images.served).toEqual([]);
  });

  it('refuses a pullspec of a release before 4.12 when its payload says so', async () => {
    const world = setUpResolve();
    const digest = await addImage(world.releases, { layers: [payloadEntries('4.11.50', [])] });

    const resolving = resolve({ release: digest }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'RELEASE_INVALID' });
  });
});
