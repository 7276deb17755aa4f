import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegistryError } from '../../src/errors.ts';
import type { BuildEvent } from '../../src/events.ts';
import { THROW_AWAY_LABEL } from '../../src/layer/provenance.ts';
import { makeLayer } from '../../src/layer/make-layer.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type AppendedImage, type AppendOptions, appendLayer } from '../../src/oci/image.ts';
import { openImage } from '../../src/oci/open-image.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { push } from '../../src/push/push.ts';
import { makeImages } from '../../src/registry/images.ts';
import { MemoryImages, MemoryRepository } from '../support/memory-images.ts';
import { addImage } from '../support/synthetic-image.ts';
import { TestRegistry } from '../support/test-registry.ts';

const TAG = parseTag('4.18.4-ice');
const LAYERS = 12;

let source: TestRegistry;
let target: TestRegistry;
let image: AppendedImage;
let events: BuildEvent[];

beforeEach(async () => {
  [source, target] = await Promise.all([new TestRegistry().listen(), new TestRegistry().listen()]);
  const memory = new MemoryRepository(parseReference('registry.example.com/os'));
  const layers = Array.from({ length: LAYERS }, (_, at) => [
    { path: `usr/${at}`, content: randomBytes(20_000) },
  ]);
  const base = await openImage(memory, await addImage(memory, { layers }), undefined);
  image = await layered(base, {});
  for (const blob of image.baseLayers) source.putBlob('ocp/os', memory.blobs.get(blob.digest)!);
  events = [];
});

async function layered(
  base: AppendOptions['base'],
  labels: Readonly<Record<string, string>>,
): Promise<AppendedImage> {
  return appendLayer({
    base,
    layer: await makeLayer([{ path: 'usr/lib/ours', bytes: Buffer.from('ours') }]),
    labels,
    layerAnnotations: {},
    createdBy: 'ours',
    created: '2026-01-02T03:04:05Z',
  });
}

afterEach(async () => {
  await Promise.all([source.close(), target.close()]);
});

interface Where {
  readonly registry?: TestRegistry;
  readonly name?: string;
  readonly signal?: AbortSignal;
}

async function pushTo({
  registry = target,
  name = 'acme/os',
  signal = new AbortController().signal,
}: Where = {}) {
  // Opened anew each time, as by another command: nothing is remembered of earlier requests.
  const images = makeImages({
    insecureRegistries: [source.host, target.host],
    sleep: () => Promise.resolve(),
    signal,
  });
  const base = await images.open(parseReference(`${source.host}/ocp/os`), 'read');
  const to = await images.open(parseReference(`${registry.host}/${name}`), 'write');
  return push({ image, base, to, tag: TAG }, { report: (event) => events.push(event), signal });
}

function sum(blobs: readonly Descriptor[]): number {
  return blobs.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}

function tagOf(registry: TestRegistry, name = 'acme/os'): string | undefined {
  return registry.repository(name).tags.get(TAG);
}

/** Everything that the image consists of is in the repository. */
function expectWhole(registry: TestRegistry, name = 'acme/os'): void {
  const { blobs, manifests } = registry.repository(name);
  const digests = [...image.baseLayers, image.layer.descriptor, image.config.descriptor].map(
    ({ digest }) => digest,
  );
  expect(digests.filter((digest) => !blobs.has(digest))).toEqual([]);
  expect(manifests.get(image.manifest.digest)?.bytes.equals(image.manifest.bytes)).toBe(true);
  expect(tagOf(registry, name)).toBe(image.manifest.digest);
}

describe('push() of an image whose key was thrown away', () => {
  it('refuses a registry, also for what is layered on it, and takes a layout', async () => {
    const memory = new MemoryRepository(parseReference('oci:/somewhere'));
    const base = await openImage(memory, await addImage(memory, { layers: [[]] }), undefined);
    const marked = await layered(base, { [THROW_AWAY_LABEL]: 'true' });
    const layout = new MemoryRepository(parseReference('oci:/elsewhere'));
    const signal = new AbortController().signal;

    await push({ image: marked, base: memory, to: layout, tag: TAG }, { report: () => undefined, signal });
    const onTop = await layered(await openImage(layout, TAG, undefined), {});

    for (const refused of [marked, onTop]) {
      image = refused;
      await expect(pushTo()).rejects.toMatchObject({ code: 'THROW_AWAY_KEY' });
    }
    expect(target.requests).toEqual([]);
  });
});

describe('push() within a registry', () => {
  it('mounts the layers of the base and moves only what is new', async () => {
    const pushed = await pushTo({ registry: source });

    expectWhole(source);
    expect(pushed).toEqual({
      digest: image.manifest.digest,
      mountedBlobs: LAYERS,
      copiedBytes: 0,
      wasThere: false,
    });
    expect(events).toEqual([]);
    expect(source.count('GET', /blobs\/sha256/)).toBe(0);
    expect(source.count('HEAD', /blobs\/sha256/)).toBeLessThanOrEqual(2);
  });

  it('asks for each layer once when a base has it twice', async () => {
    image = { ...image, baseLayers: [...image.baseLayers, ...image.baseLayers] };

    const pushed = await pushTo({ registry: source });

    expect(pushed.mountedBlobs).toBe(LAYERS);
  });

  it('asks nothing about the base in its own repository', async () => {
    const pushed = await pushTo({ registry: source, name: 'ocp/os' });

    expectWhole(source, 'ocp/os');
    expect(pushed).toMatchObject({ mountedBlobs: 0, copiedBytes: 0 });
    expect(source.requests.some(({ url }) => url.includes('mount='))).toBe(false);
  });

  it('streams the layers when the registry does not mount, and stops asking it to', async () => {
    source.fail({ method: 'POST', path: /mount=/, action: { kind: 'refuse-mount' } });

    const pushed = await pushTo({ registry: source });

    expectWhole(source);
    expect(pushed).toMatchObject({ mountedBlobs: 0, copiedBytes: sum(image.baseLayers) });
    expect(source.count('POST', /mount=/)).toBeLessThan(LAYERS);
    expect(source.openUploads).toBe(0);
  });
});

describe('push() to another registry', () => {
  it('streams what is missing, and says how much before it begins', async () => {
    const pushed = await pushTo();

    expectWhole(target);
    expect(pushed).toMatchObject({ mountedBlobs: 0, copiedBytes: sum(image.baseLayers) });
    const what = `layers of the base to ${target.host}/acme/os`;
    const sizeBytes = sum(image.baseLayers);
    expect(events[0]).toEqual({ type: 'transfer-planned', what, blobs: LAYERS, sizeBytes });
    expect(events.at(-1)).toEqual({ type: 'transfer-progress', what, doneBytes: sizeBytes, sizeBytes });
    expect(events).toHaveLength(1 + LAYERS);
  });

  it('copies only layers that are not there', async () => {
    for (const { digest } of image.baseLayers.slice(2)) {
      target.putBlob('acme/os', source.repository('ocp/os').blobs.get(digest)!);
    }

    const pushed = await pushTo();

    expectWhole(target);
    expect(pushed.copiedBytes).toBe(sum(image.baseLayers.slice(0, 2)));
    expect(source.count('GET', /blobs/)).toBe(2);
  });

  it('announces nothing when all layers are there', async () => {
    for (const bytes of source.repository('ocp/os').blobs.values()) target.putBlob('acme/os', bytes);

    const pushed = await pushTo();

    expectWhole(target);
    expect(pushed.copiedBytes).toBe(0);
    expect(events).toEqual([]);
  });

  it('writes the manifest after every blob, under its tag', async () => {
    await pushTo();

    const writes = target.requests.filter(({ method }) => ['PUT', 'PATCH', 'POST'].includes(method));
    expect(writes.at(-1)).toMatchObject({ method: 'PUT', url: `/v2/acme/os/manifests/${TAG}` });
    expect(writes.filter(({ url }) => url.includes('/manifests/'))).toHaveLength(1);
  });

  it('does nothing when the tag points to this image already', async () => {
    await pushTo();
    target.requests.length = 0;

    const again = await pushTo();

    expect(again).toEqual({ digest: image.manifest.digest, mountedBlobs: 0, copiedBytes: 0, wasThere: true });
    expect(target.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('moves a tag that pointed to another image', async () => {
    target.putManifest('acme/os', { schemaVersion: 2, layers: [], config: {} }, TAG);

    const pushed = await pushTo();

    expect(pushed.wasThere).toBe(false);
    expectWhole(target);
  });
});

describe('push() on a bad day', () => {
  it.each([
    [
      'an upload is refused',
      () => {
        target.fail({ method: 'POST', path: /uploads/, action: { kind: 'status', status: 403 } });
      },
      'FORBIDDEN',
    ],
    [
      'the manifest is refused',
      () => {
        target.fail({ method: 'PUT', path: /manifests/, action: { kind: 'status', status: 400 } });
      },
      'UNEXPECTED_STATUS',
    ],
    [
      'the tag cannot be asked for',
      () => {
        target.fail({ method: 'GET', path: /manifests/, action: { kind: 'status', status: 403 } });
      },
      'FORBIDDEN',
    ],
    [
      'a layer of the base is gone',
      () => {
        source.repository('ocp/os').blobs.delete(image.baseLayers[3]!.digest);
      },
      'NOT_FOUND',
    ],
    [
      'the base sends another layer',
      () => {
        source.fail({ method: 'GET', path: /blobs/, action: { kind: 'corrupt' } });
      },
      'DIGEST_MISMATCH',
    ],
  ])('leaves no tag when %s, and ends well when run again', async (_, breakIt, code) => {
    const saved = new Map(source.repository('ocp/os').blobs);
    breakIt();

    const pushing = pushTo();

    await expect(pushing).rejects.toMatchObject({ name: 'RegistryError', code });
    expect(tagOf(target)).toBeUndefined();

    target.clearFaults();
    source.clearFaults();
    for (const [digest, bytes] of saved) source.repository('ocp/os').blobs.set(digest, bytes);
    await pushTo();
    expectWhole(target);
  });

  it('survives answers of 429 and 503, and connections that break', async () => {
    target.fail({ method: 'POST', times: 2, action: { kind: 'status', status: 429 } });
    target.fail({ method: 'PUT', path: /manifests/, times: 1, action: { kind: 'status', status: 503 } });
    source.fail({ method: 'GET', path: /blobs/, times: 2, action: { kind: 'truncate', afterBytes: 5000 } });

    await pushTo();

    expectWhole(target);
  });

  it('begins no more copies after a failure', async () => {
    source.fail({ method: 'GET', path: /blobs/, action: { kind: 'status', status: 403 } });

    await expect(pushTo()).rejects.toMatchObject({ code: 'FORBIDDEN' });

    expect(source.count('GET', /blobs/)).toBeLessThan(LAYERS);
  });

  it('writes missing blobs again when the registry has lost them meanwhile, once', async () => {
    let hasLost = false;
    const { base, to } = inMemory((repository) => {
      const write = repository.writeManifest.bind(repository);
      repository.writeManifest = async (manifest, tag) => {
        if (hasLost) return write(manifest, tag);
        hasLost = true;
        repository.blobs.clear();
        throw new RegistryError('BLOB_UNKNOWN', 'Cannot write the manifest: a blob is unknown');
      };
    });

    const pushed = await push({ image, base, to, tag: TAG }, ioOf());

    expect(to.tags.get(TAG)).toBe(image.manifest.digest);
    expect(to.blobs.size).toBe(LAYERS + 2);
    expect(pushed.mountedBlobs).toBe(2 * LAYERS);
    expect(events).toMatchObject([{ type: 'warning' }]);
  });

  it('gives up when blobs are unknown twice', async () => {
    const { base, to } = inMemory((repository) => {
      repository.writeManifest = () =>
        Promise.reject(new RegistryError('BLOB_UNKNOWN', 'Cannot write the manifest: a blob is unknown'));
    });

    await expect(push({ image, base, to, tag: TAG }, ioOf())).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });

    expect(to.tags.size).toBe(0);
  });

  it('asks about the base in its own repository once the registry misses a blob', async () => {
    await pushTo({ registry: source, name: 'ocp/os' });
    const { base } = inMemory(() => undefined);
    const twin = new MemoryRepository(base.reference);
    let isFirst = true;
    const write = twin.writeManifest.bind(twin);
    twin.writeManifest = async (manifest, tag) => {
      if (!isFirst) return write(manifest, tag);
      isFirst = false;
      throw new RegistryError('BLOB_UNKNOWN', 'Cannot write the manifest: a blob is unknown');
    };

    const pushed = await push({ image, base, to: twin, tag: TAG }, ioOf());

    expect(pushed).toMatchObject({ mountedBlobs: 0, copiedBytes: sum(image.baseLayers) });
    expect(twin.blobs.size).toBe(LAYERS + 2);
  });

  it('stops when aborted while it copies, and leaves no tag', async () => {
    const abort = new AbortController();
    source.fail({ method: 'GET', path: /blobs/, action: { kind: 'delay', ms: 200 } });
    setTimeout(() => {
      abort.abort(new Error('interrupted'));
    }, 100);

    const pushing = pushTo({ signal: abort.signal });

    await expect(pushing).rejects.toThrow('interrupted');
    expect(tagOf(target)).toBeUndefined();
    source.clearFaults();
    await pushTo();
    expectWhole(target);
  });

  it('writes no manifest when aborted after the last blob', async () => {
    const abort = new AbortController();
    const { base, to } = inMemory((repository) => {
      const write = repository.writeBlob.bind(repository);
      repository.writeBlob = async (blob, content) => {
        await write(blob, content);
        abort.abort(new Error('interrupted'));
      };
    });

    const pushing = push({ image, base, to, tag: TAG }, { ...ioOf(), signal: abort.signal });

    await expect(pushing).rejects.toThrow('interrupted');
    expect(to.manifests.size).toBe(0);
  });
});

function ioOf() {
  return { report: (event: BuildEvent) => void events.push(event), signal: new AbortController().signal };
}

/** The base and an empty target in memory; the target misbehaves as told. */
function inMemory(misbehave: (target: MemoryRepository) => void) {
  const images = new MemoryImages();
  const base = images.at(parseReference('registry.example.com/ocp/os'));
  const to = images.at(parseReference('registry.example.com/acme/os'));
  for (const [digest, bytes] of source.repository('ocp/os').blobs) {
    if (image.baseLayers.some((layer) => layer.digest === digest)) base.addBlob(bytes, '');
  }
  misbehave(to);
  return { base, to };
}
