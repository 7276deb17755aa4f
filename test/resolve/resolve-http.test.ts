import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseReference } from '../../src/oci/reference.ts';
import { makeImages } from '../../src/registry/images.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import type { MemoryRepository } from '../support/memory-images.ts';
import { addImage, noise } from '../support/synthetic-image.ts';
import {
  addRelease,
  KERNEL,
  nodeOsImage,
  payloadEntries,
  setUpResolve,
} from '../support/synthetic-release.ts';
import { TestRegistry } from '../support/test-registry.ts';

/** Serves what a repository in memory holds. */
function serve(registry: TestRegistry, { reference, blobs, manifests, tags }: MemoryRepository): void {
  if (reference.transport !== 'docker') return;
  const served = registry.repository(reference.repository);
  for (const [digest, bytes] of blobs) served.blobs.set(digest, Buffer.from(bytes));
  for (const [digest, { mediaType, bytes }] of manifests)
    served.manifests.set(digest, { mediaType, bytes: Buffer.from(bytes) });
  for (const [tag, digest] of tags) served.tags.set(tag, digest);
}

let registry: TestRegistry;

beforeEach(async () => {
  registry = await new TestRegistry().listen();
});

afterEach(async () => {
  await registry.close();
});

function setUp() {
  const world = setUpResolve();
  const releases = world.images.at(parseReference(`${registry.host}/openshift/release`));
  const components = world.images.at(parseReference(`${registry.host}/openshift/components`));
  const images = makeImages({ insecureRegistries: [registry.host], sleep: () => Promise.resolve() });
  const publish = (): void => {
    for (const repository of [releases, components]) serve(registry, repository);
  };
  return {
    world: { releases, components },
    publish,
    io: { ...world.io, images },
    releaseRepository: releases.reference,
  };
}

describe('resolve() over HTTP', () => {
  it('asks for each manifest, config and layer once', async () => {
    const { world, publish, io, releaseRepository } = setUp();
    const { osImage, toolkit } = await addRelease(world, { osImage: await nodeOsImage() });
    publish();

    const targets = await resolve({ release: '4.18.4', releaseRepository }, io);

    expect(targets[0]).toMatchObject({
      osImage: { digest: osImage, kernel: KERNEL, kernelSource: 'meta.json' },
      driverToolkit: { digest: toolkit, rtKernel: `${KERNEL}+rt` },
    });
    expect(registry.count('GET', /\/manifests\//)).toBe(3);
    expect(registry.count('GET', /\/blobs\//)).toBe(5);
    expect(new Set(registry.requests.map(({ url }) => url)).size).toBe(registry.requests.length);
  });

  it('asks for a range of a large payload', async () => {
    const { world, publish, io, releaseRepository } = setUp();
    const { osImage, toolkit } = await addRelease(world, { tag: 'other' });
    const payload = payloadEntries(
      '4.18.4',
      [
        { name: 'rhel-coreos', digest: osImage },
        { name: 'driver-toolkit', digest: toolkit },
      ],
      { components: world.components.reference },
    );
    const manifests = { path: 'release-manifests/0000_50_crds.yaml', content: noise(2 * 1024 ** 2) };
    world.releases.tag(
      '4.18.4-x86_64',
      await addImage(world.releases, { layers: [[...payload, manifests]] }),
    );
    publish();

    const targets = await resolve({ release: '4.18.4', releaseRepository }, io);

    expect(targets[0]?.extensions).toBeUndefined();
    const ranges = registry.requests.flatMap(({ headers }) => headers.range ?? []);
    expect(ranges).toEqual(['bytes=0-262143']);
  });

  it('goes on after what a busy registry answers', async () => {
    const { world, publish, io, releaseRepository } = setUp();
    await addRelease(world);
    publish();
    registry.fail({ path: /\/blobs\//, times: 2, action: { kind: 'status', status: 503 } });
    registry.fail({ path: /\/manifests\//, times: 1, action: { kind: 'truncate', afterBytes: 100 } });

    const targets = await resolve({ release: '4.18.4', releaseRepository }, io);

    expect(targets).toHaveLength(1);
  });

  it('refuses a payload whose bytes are not those of its digest', async () => {
    const { world, publish, io, releaseRepository } = setUp();
    const { release } = await addRelease(world);
    const { layers } = JSON.parse(
      Buffer.from(world.releases.manifests.get(release)!.bytes).toString('utf8'),
    ) as { layers: { digest: string }[] };
    publish();
    registry.fail({ path: new RegExp(layers[1]!.digest), action: { kind: 'corrupt' } });

    const resolving = resolve({ release: '4.18.4', releaseRepository }, io);

    await expect(resolving).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:DIGEST_MISMATCH|LAYER_INVALID)$/) as string,
    });
  });

  it('names the registry that wants credentials', async () => {
    const { publish, io, releaseRepository, world } = setUp();
    await addRelease(world);
    publish();
    registry.fail({ path: /components/, action: { kind: 'status', status: 401 } });

    const resolving = resolve({ release: '4.18.4', releaseRepository }, io);

    await expect(resolving).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining(registry.host) as string,
    });
  });
});
