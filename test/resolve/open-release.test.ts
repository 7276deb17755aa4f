import { describe, expect, it } from 'vitest';
import { RegistryError } from '../../src/errors.ts';
import type { Arch } from '../../src/oci/arch.ts';
import { descriptorJson } from '../../src/oci/descriptor.ts';
import { rawManifest } from '../../src/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { OKD_RELEASE_REPOSITORY } from '../../src/resolve/release-reference.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import type { MemoryRepository } from '../support/memory-images.ts';
import { addImage, addIndex } from '../support/synthetic-image.ts';
import {
  addForArches,
  addRelease,
  chunkedOsImage,
  COMPONENTS,
  KERNEL,
  payloadEntries,
  setUpResolve,
  toolkitImage,
} from '../support/synthetic-release.ts';

const ARM_KERNEL = KERNEL.replace('x86_64', 'aarch64');

/** A release for two architectures: lists at every hop, as `-multi` payloads have them. */
async function addMulti({ releases, components }: ReturnType<typeof setUpResolve>, version = '4.18.4') {
  const kernels: readonly (readonly [Arch, string])[] = [
    ['x86_64', KERNEL],
    ['aarch64', ARM_KERNEL],
  ];
  const osImages = kernels.map(async ([arch, kernel]) => ({ ...(await chunkedOsImage({ kernel })), arch }));
  const osImage = await addForArches(components, await Promise.all(osImages));
  const toolkit = await addForArches(
    components,
    kernels.map(([arch, kernel]) => ({ ...toolkitImage({ kernel }), arch })),
  );
  const extensions = await addForArches(
    components,
    kernels.map(([arch]) => ({ arch, layers: [[]] })),
  );
  const payload = payloadEntries(
    version,
    [
      { name: 'rhel-coreos', digest: osImage },
      { name: 'rhel-coreos-extensions', digest: extensions },
      { name: 'driver-toolkit', digest: toolkit },
    ],
    { isMulti: true },
  );
  const shards = await Promise.all(
    kernels.map(async ([arch]) => ({
      arch,
      digest: await addImage(releases, { layers: [payload], arch, family: 'docker' }),
    })),
  );
  for (const { arch, digest } of shards) releases.tag(`${version}-multi-${arch}`, digest);
  const list = await addIndex(releases, shards, 'docker');
  releases.tag(`${version}-multi`, list);
  return { list, osImage, toolkit, extensions, shards };
}

function archesOf(targets: readonly { readonly arch: Arch }[]): readonly Arch[] {
  return targets.map(({ arch }) => arch);
}

describe('resolve() of a release for several architectures', () => {
  it('chooses an image at every hop, and pins that image and not the list', async () => {
    const world = setUpResolve();
    const { osImage, toolkit, extensions, shards } = await addMulti(world);

    const targets = await resolve({ release: '4.18.4-multi' }, world.io);

    expect(archesOf(targets)).toEqual(['x86_64', 'aarch64']);
    expect(targets.map(({ osImage: { kernel } }) => kernel)).toEqual([KERNEL, ARM_KERNEL]);
    expect(targets.map(({ release }) => release.digest)).toEqual(shards.map(({ digest }) => digest));
    const digests = targets.flatMap((target) => [
      target.osImage.digest,
      target.driverToolkit.digest,
      target.extensions?.digest,
    ]);
    expect(new Set(digests).size).toBe(6);
    for (const list of [osImage, toolkit, extensions]) expect(digests).not.toContain(list);
  });

  it('fetches each list once, whatever the number of architectures', async () => {
    const world = setUpResolve();
    const { list, osImage, toolkit, extensions } = await addMulti(world);
    world.releases.tag('any', list);

    await resolve({ release: '4.18.4-multi' }, world.io);

    const fetched = world.images.served.filter(({ call }) => call === 'getManifest').map(({ what }) => what);
    expect(fetched).toHaveLength(new Set(fetched).size);
    expect(fetched).toEqual(expect.arrayContaining(['4.18.4-multi', osImage, toolkit, extensions]));
  });

  it('falls back from the tag of an architecture to the list', async () => {
    const world = setUpResolve();
    await addMulti(world);

    const targets = await resolve({ release: '4.18.4', arches: ['aarch64'] }, world.io);

    expect(archesOf(targets)).toEqual(['aarch64']);
    expect(targets[0]?.kernels.map(({ flavour }) => flavour)).toEqual(['default', 'rt', '64k']);
  });

  it('reads one part of a list by its own tag', async () => {
    const world = setUpResolve();
    const { shards } = await addMulti(world);

    const targets = await resolve({ release: '4.18.4-multi-aarch64' }, world.io);

    expect(targets[0]).toMatchObject({ arch: 'aarch64', release: { digest: shards[1]?.digest } });
  });

  it('takes every architecture of a list that is named by digest', async () => {
    const world = setUpResolve();
    const { list } = await addMulti(world);

    const targets = await resolve({ release: list }, world.io);

    expect(archesOf(targets)).toEqual(['x86_64', 'aarch64']);
  });

  it('says which architectures a list has when another one is asked for', async () => {
    const world = setUpResolve();
    await addMulti(world);

    const resolving = resolve({ release: '4.18.4-multi', arches: ['s390x'] }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'ARCH_UNSUPPORTED',
      hint: 'It holds linux/amd64, linux/arm64.',
    });
  });

  it('refuses an architecture that the name of the release rules out', async () => {
    const world = setUpResolve();

    const resolving = resolve({ release: '4.18.4-x86_64', arches: ['aarch64'] }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'ARCH_UNSUPPORTED' });
    expect(world.images.served).toEqual([]);
  });

  it('refuses a release image of another architecture', async () => {
    const world = setUpResolve();
    const { release } = await addRelease(world);

    const resolving = resolve({ release, arches: ['aarch64'] }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'ARCH_UNSUPPORTED' });
  });
});

describe('a release image for a machine that OpenShift does not run on', () => {
  it('is refused with the architectures that there are', async () => {
    const world = setUpResolve();
    const types = MEDIA_TYPES.oci;
    const config = world.releases.addBlob(Buffer.from('{"architecture":"riscv64"}'), types.config);
    const json = { schemaVersion: 2, mediaType: types.manifest, config: descriptorJson(config), layers: [] };
    const image = rawManifest(json, types.manifest);
    const platform = { architecture: 'riscv64', os: 'linux' };
    const entry = { mediaType: types.manifest, digest: image.digest, size: image.bytes.length, platform };
    const list = rawManifest({ schemaVersion: 2, manifests: [entry] }, types.index);
    for (const manifest of [image, list]) await world.releases.writeManifest(manifest);

    for (const { digest } of [image, list]) {
      await expect(resolve({ release: digest }, world.io)).rejects.toMatchObject({
        code: 'ARCH_UNSUPPORTED',
        hint: 'OpenShift runs on x86_64, aarch64, ppc64le, s390x.',
      });
    }
  });
});

describe('resolve() of OKD', () => {
  it('finds the tag without an architecture, and the one image of an index with one entry', async () => {
    const world = setUpResolve();
    const okd = world.images.at(OKD_RELEASE_REPOSITORY);
    const { release } = await addRelease(
      { releases: okd, components: world.components },
      {
        version: '4.16.0-okd-scos.0',
        tag: 'unused',
        machineOs: '416.9.202411211032-0',
        toolkit: toolkitImage({ rhel: '9' }),
      },
    );
    okd.tag('4.16.0-okd-scos.0', await addIndex(okd, [{ arch: 'x86_64', digest: release }]));

    const targets = await resolve({ release: '4.16.0-okd-scos.0' }, world.io);

    expect(targets[0]).toMatchObject({ arch: 'x86_64', release: { digest: release }, rhelVersion: '9' });
    expect(world.images.served.filter(({ what }) => what === '4.16.0-okd-scos.0')).toHaveLength(1);
  });
});

describe('a release that is not there', () => {
  async function addTags(repository: MemoryRepository, ...tags: readonly string[]): Promise<void> {
    const digest = await addImage(repository, { layers: [[]] });
    for (const tag of tags) repository.tag(tag, digest);
  }

  it('is answered with the nearest ones of the architecture', async () => {
    const world = setUpResolve();
    await addTags(world.releases, '4.12.0-x86_64', '4.17.9-x86_64', '4.18.2-x86_64', '4.18.4-aarch64');
    await addTags(
      world.releases,
      '4.18.9-x86_64',
      '4.18.5-multi',
      '4.19.1-x86_64',
      '4.20.0-x86_64',
      'latest',
    );

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      message: expect.stringContaining('quay.io/openshift-release-dev/ocp-release:4.18.4-x86_64') as string,
      hint: 'The nearest releases there are 4.18.5, 4.18.2, 4.18.9, 4.19.1, 4.17.9.',
    });
  });

  it('is looked around for when there are too many tags to list', async () => {
    const world = setUpResolve();
    const old = Array.from({ length: 600 }, (_, at) => `4.1.${at}-x86_64`);
    await addTags(world.releases, ...old, '4.18.3-x86_64', '4.18.5-x86_64', '4.18.0-x86_64');

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      hint: expect.stringMatching(/nearest releases there are 4\.18\.[35], 4\.18\.[35], 4\.18\.0,/) as string,
    });
    expect(world.images.served.length).toBeLessThan(25);
  });

  it('is answered with a plain hint when the repository may not be listed', async () => {
    const world = setUpResolve();
    const repository = world.releases;
    const denied = new RegistryError('FORBIDDEN', 'Cannot list tags', { status: 403 });
    repository.listTags = () => Promise.reject(denied);
    repository.findManifest = () => Promise.reject(denied);

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      hint: expect.stringContaining('--release-repository') as string,
    });
  });

  it('does not hide that credentials are missing', async () => {
    const world = setUpResolve();
    world.releases.failure = new RegistryError('UNAUTHORIZED', 'Cannot read', { status: 401 });

    const resolving = resolve({ release: '4.18.4' }, world.io);

    await expect(resolving).rejects.toBe(world.releases.failure);
  });

  it('is looked for in the repository that the user names', async () => {
    const world = setUpResolve();
    const releaseRepository = parseReference('mirror.example.com/ocp/release');
    await addRelease({ releases: world.images.at(releaseRepository), components: world.components });

    const targets = await resolve({ release: '4.18.4', releaseRepository }, world.io);

    expect(targets[0]?.release.reference).toMatchObject({ host: 'mirror.example.com' });
    expect(targets[0]?.osImage.reference).toMatchObject({ host: 'quay.io' });
  });
});

describe('resolve() of a layout', () => {
  const layout = parseReference('oci:some/dir');

  it('reads images that are not in the layout by their names', async () => {
    const world = setUpResolve();
    const releases = world.images.at(layout);
    const { toolkit, osImage } = await addRelease({ releases, components: world.components });
    await addImage(releases, toolkitImage());

    const targets = await resolve({ release: 'oci:some/dir' }, world.io);

    expect(targets[0]?.driverToolkit.location).toEqual({ ...layout, digest: toolkit });
    expect(targets[0]?.driverToolkit.reference).toEqual({ ...COMPONENTS, digest: toolkit });
    expect(targets[0]?.osImage.location).toEqual({ ...COMPONENTS, digest: osImage });
  });

  it('asks which image is meant when several are named', async () => {
    const world = setUpResolve();
    const { release } = await addRelease({ releases: world.images.at(layout), components: world.components });
    world.images.at(layout).tag('other', release);

    const resolving = resolve({ release: 'oci:some/dir' }, world.io);

    await expect(resolving).rejects.toMatchObject({
      code: 'RELEASE_INVALID',
      hint: 'Name one of its images: oci:some/dir:4.18.4-x86_64, oci:some/dir:other.',
    });
  });

  it('takes the named image', async () => {
    const world = setUpResolve();
    const { release } = await addRelease({ releases: world.images.at(layout), components: world.components });
    world.images.at(layout).tag('other', release);

    const targets = await resolve({ release: 'oci:some/dir:other' }, world.io);

    expect(targets[0]?.release.digest).toBe(release);
  });

  it('wants a tag or a digest of an image in a registry', async () => {
    const world = setUpResolve();

    const resolving = resolve({ release: 'quay.io/openshift-release-dev/ocp-release' }, world.io);

    await expect(resolving).rejects.toMatchObject({ code: 'RELEASE_INVALID' });
  });
});
