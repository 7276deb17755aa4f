import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { build, planBuild } from '../src/build.ts';
import type { ImageDecision } from '../src/decide.ts';
import { makeLayer } from '../src/layer/make-layer.ts';
import { descriptorJson } from '../src/oci/descriptor.ts';
import { readLayerFiles } from '../src/oci/layer-files.ts';
import { type ImageManifest, parseManifest, type RawManifest } from '../src/oci/manifest.ts';
import type { Tag } from '../src/oci/tag.ts';
import { stripSignature } from '../src/sign/module-signature.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { makeTestIo, type TestIo } from './support/io.ts';
import { type OverHttp, overHttp } from './support/over-http.ts';

const QUICKSTART = resolve('fixtures/quickstart');
const OPTIONS = { toolVersion: '0.0.0-test' };
const REPOSITORY = 'acme/os';

interface SetOptions {
  readonly greeting?: string;
  readonly kmodImages?: boolean;
  readonly isSigned?: boolean;
}

function makeSet(
  host: string,
  { greeting = 'hi', kmodImages = false, isSigned = true }: SetOptions = {},
): DriverSet {
  const keys = `${QUICKSTART}/keys/TEST-ONLY`;
  return parseSpec(
    `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: ["oci:${QUICKSTART}/release:4.18.4"] }
drivers:
  - name: hello
    version: 1.0.0
    source: { files: ["${QUICKSTART}/modules/kl_base.ko", "${QUICKSTART}/modules/kl_hello.ko"] }
    modules: [{ name: kl_base }, { name: kl_hello, parameters: { greeting: ${greeting} } }]
${isSigned ? `sign: [{ key: "${keys}.key", certificate: "${keys}.der" }]` : ''}
publish: { osImage: "${host}/${REPOSITORY}"${kmodImages ? `, kmodImage: "${host}/acme/kmods"` : ''} }
`,
    join(QUICKSTART, 'kmodlayer.yaml'),
  );
}

/** A client without anything in its cache, as on a fresh machine. */
function freshIo({ images }: OverHttp): TestIo {
  return makeTestIo({ images });
}

async function decisionOf(set: DriverSet, io: TestIo): Promise<ImageDecision | undefined> {
  const { decisions } = await planBuild(set, {}, io);
  return [...decisions.images.values()][0];
}

/** Publishes the image of a tag again with other files in our layer. */
async function changeLayer(
  { registry, open }: OverHttp,
  tag: Tag,
  change: (files: Map<string, Buffer>) => void,
  name = REPOSITORY,
): Promise<void> {
  const repository = await open(name);
  const { json, layers } = parseImage(await repository.getManifest(tag));
  const read = await readLayerFiles(() => repository.readBlob(layers.at(-1)!), {
    maxBytes: 1e8,
    wants: () => true,
  });
  const files = new Map(read.files);
  change(files);
  const { chunks } = await makeLayer(
    [...files].map(([path, bytes]) => ({ path, bytes })),
    name === REPOSITORY ? 'os' : 'kmod',
  );
  const layer = registry.putBlob(name, Buffer.concat(chunks));
  const others = (json['layers'] as readonly unknown[]).slice(0, -1);
  registry.putManifest(name, { ...json, layers: [...others, descriptorJson(layer)] }, tag);
}

function parseImage(raw: RawManifest): ImageManifest {
  const manifest = parseManifest(raw);
  if (manifest.kind !== 'image') throw new TypeError('No image');
  return manifest;
}

type Json = Readonly<Record<string, unknown>>;

interface ProvenanceJson {
  readonly drivers: readonly {
    readonly modules: readonly { readonly name: string; readonly sha256: string }[];
  }[];
}

const PROVENANCE = 'usr/share/kmodlayer/hello.json';

function editProvenance(files: Map<string, Buffer>, edit: (json: ProvenanceJson) => object): void {
  const json = JSON.parse(files.get(PROVENANCE)!.toString()) as ProvenanceJson;
  files.set(PROVENANCE, Buffer.from(JSON.stringify(edit(json))));
}

/** A file that is in every layer, and read at boot. */
const MODPROBE = 'usr/lib/modprobe.d/kmodlayer-hello.conf';

/** Another kl_hello, of which the image speaks truly. */
function replaceModule(files: Map<string, Buffer>, change: (bytes: Buffer) => Buffer): void {
  const path = [...files.keys()].find((name) => name.endsWith('kl_hello.ko'))!;
  const bytes = change(files.get(path)!);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  files.set(path, bytes);
  editProvenance(files, (json) => ({
    ...json,
    drivers: json.drivers.map((driver) => ({
      ...driver,
      modules: driver.modules.map((module) => (module.name === 'kl_hello' ? { ...module, sha256 } : module)),
    })),
  }));
}

async function published(): Promise<{ readonly http: OverHttp; readonly set: DriverSet; readonly tag: Tag }> {
  const http = await overHttp();
  const set = makeSet(http.registry.host);
  const { images } = await build(set, OPTIONS, freshIo(http));
  return { http, set, tag: images[0]!.tag };
}

describe('what is there already', () => {
  it('is taken at two requests, on a machine that knows nothing, and nothing is written', async () => {
    const { http, set, tag } = await published();
    const before = http.registry.requests.length;

    const { images } = await build(set, OPTIONS, freshIo(http));

    const requests = http.registry.requests.slice(before).map(({ method, url }) => `${method} ${url}`);
    expect(requests).toEqual([
      `GET /v2/${REPOSITORY}/manifests/${tag}`,
      expect.stringMatching(new RegExp(`^GET /v2/${REPOSITORY}/blobs/sha256:`)) as unknown,
    ]);
    expect(images[0]).toMatchObject({ tag, wasThere: true });
    expect(images[0]?.manifests).toHaveLength(1);
  });

  it('is taken at one request where its layer was looked at before', async () => {
    const { http, set } = await published();
    const io = freshIo(http);
    await planBuild(set, {}, io);
    const before = http.registry.requests.length;

    expect(await decisionOf(set, io)).toMatchObject({ action: 'reuse' });

    expect(http.registry.requests.length - before).toBe(1);
  });

  it('is taken for kmod images, too, with their names', async () => {
    const http = await overHttp();
    const set = makeSet(http.registry.host, { kmodImages: true });
    const first = await build(set, OPTIONS, freshIo(http));
    const before = http.registry.requests.length;

    const second = await build(set, OPTIONS, freshIo(http));

    const requests = http.registry.requests.slice(before);
    expect(requests.every(({ method }) => method === 'GET' || method === 'HEAD')).toBe(true);
    expect(second.kmodImages.map(({ digest }) => digest)).toEqual(
      first.kmodImages.map(({ digest }) => digest),
    );
    expect(second.kmodTags).toEqual(first.kmodTags.map((tag) => ({ ...tag, wasThere: true })));
  });

  it('is not taken when it is not asked, or shall not be', async () => {
    const { http, set } = await published();
    const io = freshIo(http);
    const before = http.registry.requests.length;

    const offline = await planBuild(set, { isOffline: true }, io);
    const forced = await planBuild(set, { force: true }, io);

    expect([...offline.decisions.images.values()]).toEqual([
      { action: 'build', why: 'what is there was not looked up' },
    ]);
    expect(offline.decisions.isLookedUp).toBe(false);
    expect([...forced.decisions.compiles.values()]).toMatchObject([{ action: 'compile' }]);
    expect(http.registry.requests).toHaveLength(before);
  });

  it('is another image when an input is another', async () => {
    const { http } = await published();

    const decision = await decisionOf(makeSet(http.registry.host, { greeting: 'hello' }), freshIo(http));

    expect(decision).toEqual({ action: 'build', why: 'there is no image with its tag' });
  });

  it.each<[string, string, (files: Map<string, Buffer>) => void]>([
    [
      'the module is not signed',
      'has no signature that holds under the certificate of kmodlayer TEST ONLY never enrol',
      (files) => {
        replaceModule(files, (bytes) => Buffer.from(stripSignature(bytes)));
      },
    ],
    [
      'the signature is for other bytes',
      'has no signature that holds',
      (files) => {
        replaceModule(files, (bytes) => {
          const changed = Buffer.from(bytes);
          changed[changed.indexOf('license=') + 8]! ^= 1;
          return changed;
        });
      },
    ],
    [
      'a module is not the one that was recorded',
      'is not the module that the image speaks of',
      (files) => {
        const path = [...files.keys()].find((name) => name.endsWith('kl_base.ko'))!;
        files.set(path, Buffer.from('other'));
      },
    ],
    [
      'the input hash is another one with the same digits in the tag',
      'was made from other inputs',
      (files) => {
        editProvenance(files, (json) => ({ ...json, inputHash: 'f'.repeat(64) }));
      },
    ],
    [
      'a module is missing',
      'lacks kl_hello',
      (files) => {
        editProvenance(files, (json) => ({
          ...json,
          drivers: json.drivers.map((driver) => ({ ...driver, modules: driver.modules.slice(0, 1) })),
        }));
      },
    ],
    [
      'a module is another one with a signature that holds',
      'kl_hello in the image with its tag is another module',
      (files) => {
        const base = files.get([...files.keys()].find((name) => name.endsWith('kl_base.ko'))!)!;
        replaceModule(files, () => base);
      },
    ],
    [
      'there is a file that no set makes',
      '/usr/lib/modprobe.d/z.conf in the image with its tag is nothing that the set makes',
      (files) => {
        files.set('usr/lib/modprobe.d/z.conf', Buffer.from('install nfs /usr/bin/evil\n'));
      },
    ],
    [
      'a file of configuration is another one',
      `/${MODPROBE} in the image with its tag is nothing that the set makes`,
      (files) => {
        files.set(
          MODPROBE,
          Buffer.concat([files.get(MODPROBE)!, Buffer.from('install nfs /usr/bin/evil\n')]),
        );
      },
    ],
    [
      'a file of configuration is missing',
      `the image with its tag lacks /${MODPROBE}`,
      (files) => {
        files.delete(MODPROBE);
      },
    ],
    [
      'a module is there that the image does not speak of',
      'kl_more.ko in the image with its tag is nothing that the set makes',
      (files) => {
        const path = [...files.keys()].find((name) => name.endsWith('kl_base.ko'))!;
        files.set(path.replace('kl_base', 'kl_more'), files.get(path)!);
      },
    ],
    [
      'it names another signer',
      `/${PROVENANCE} in the image with its tag is nothing that the set makes`,
      (files) => {
        editProvenance(files, (json) => ({ ...json, signers: [] }));
      },
    ],
    [
      'it does not say what it was made from',
      'does not say what it was made from',
      (files) => {
        editProvenance(files, () => ({ drivers: [] }));
      },
    ],
  ])('is not taken when %s', async (_what, why, change) => {
    const { http, set, tag } = await published();
    await changeLayer(http, tag, change);

    const decision = await decisionOf(set, freshIo(http));

    expect(decision).toMatchObject({ action: 'build', why: expect.stringContaining(why) as unknown });
  });

  it.each<[string, (json: Json, registry: OverHttp['registry']) => Json]>([
    [
      'the base is another one',
      (json, registry) => {
        const layers = json['layers'] as readonly Json[];
        const evil = descriptorJson(registry.putBlob(REPOSITORY, Buffer.from('evil')));
        return { ...json, layers: [...layers.slice(0, -1), evil, ...layers.slice(-1)] };
      },
    ],
    [
      'the config is another one',
      (json, registry) => {
        const { mediaType } = json['config'] as Json;
        const config = descriptorJson(registry.putBlob(REPOSITORY, Buffer.from('{"config":{"User":"0"}}')));
        return { ...json, config: { ...config, mediaType } };
      },
    ],
  ])('is not taken with our layer when %s', async (_what, change) => {
    const { http, set, tag } = await published();
    const repository = await http.open(REPOSITORY);
    const { json } = parseImage(await repository.getManifest(tag));
    http.registry.putManifest(REPOSITORY, change(json, http.registry), tag);

    expect(await decisionOf(set, freshIo(http))).toMatchObject({
      action: 'build',
      why: 'the image with its tag is more than its layer on the base of its target',
    });
  });

  it('is taken without signatures on the machine alone that made it', async () => {
    const http = await overHttp();
    const set = makeSet(http.registry.host, { isSigned: false });
    const io = freshIo(http);
    await build(set, OPTIONS, io);
    const before = http.registry.requests.length;

    expect(await decisionOf(set, io)).toMatchObject({ action: 'reuse' });
    expect(http.registry.requests.length - before).toBe(1);
    expect(await decisionOf(set, freshIo(http))).toEqual({
      action: 'build',
      why: 'nobody signs it, and the image with its tag was not made on this machine',
    });
  });

  it('is taken at one request by the machine that made it', async () => {
    const http = await overHttp();
    const io = freshIo(http);
    await build(makeSet(http.registry.host), OPTIONS, io);
    const before = http.registry.requests.length;

    expect(await decisionOf(makeSet(http.registry.host), io)).toMatchObject({ action: 'reuse' });

    expect(http.registry.requests.length - before).toBe(1);
  });

  it('is not taken when a kmod image has more in it', async () => {
    const http = await overHttp();
    const set = makeSet(http.registry.host, { kmodImages: true });
    const { kmodImages } = await build(set, OPTIONS, freshIo(http));
    await changeLayer(
      http,
      kmodImages[0]!.tag,
      (files) => files.set('opt/lib/evil', Buffer.from('evil')),
      'acme/kmods',
    );

    const { decisions } = await planBuild(set, {}, freshIo(http));

    expect([...decisions.kmodImages.values()]).toMatchObject([
      { action: 'build', why: '/opt/lib/evil in the image with its tag is nothing that the set makes' },
    ]);
  });

  it('is built again when what has its tag is broken', async () => {
    const { http, set, tag } = await published();
    const { json } = parseImage(await (await http.open(REPOSITORY)).getManifest(tag));
    const layers = json['layers'] as readonly Json[];
    const gone = { ...layers.at(-1), digest: `sha256:${'0'.repeat(64)}` };
    http.registry.putManifest(REPOSITORY, { ...json, layers: [...layers.slice(0, -1), gone] }, tag);

    expect(await decisionOf(set, freshIo(http))).toEqual({
      action: 'build',
      why: 'the image with its tag cannot be read',
    });
  });

  it('is not taken when the tag leads to no image', async () => {
    const { http, set, tag } = await published();
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    http.registry.putManifest(REPOSITORY, { schemaVersion: 2, mediaType, manifests: [] }, tag);

    expect(await decisionOf(set, freshIo(http))).toMatchObject({
      action: 'build',
      why: 'what has its tag is no image of kmodlayer',
    });
  });
});
