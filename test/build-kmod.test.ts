import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { build } from '../src/build.ts';
import { lintImage } from '../src/verify/image/lint-image.ts';
import { readLayerFiles } from '../src/oci/layer-files.ts';
import { walkLayer } from '../src/oci/layer-reader.ts';
import { openImage, type OpenedImage } from '../src/oci/open-image.ts';
import { parseReference } from '../src/oci/reference.ts';
import { type Tag, parseTag } from '../src/oci/tag.ts';
import { parseSpec } from '../src/spec/spec.ts';
import { verifyImage } from '../src/verify/verify-image.ts';
import { makeTestIo, type TestIo, withTemporaryDirectory } from './support/io.ts';

const QUICKSTART = resolve('fixtures/quickstart');
const KERNEL = '6.1.0-56-amd64';
const OPTIONS = { toolVersion: '0.0.0-test' };

function makeSet(directory: string, { day1 = '[]', extra = '' } = {}): ReturnType<typeof parseSpec> {
  const files = ['kl_base.ko', 'kl_hello.ko'].map((name) => JSON.stringify(`${QUICKSTART}/modules/${name}`));
  return parseSpec(
    `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: ["oci:${QUICKSTART}/release:4.18.4"] }
drivers:
  - name: hello
    version: 1.0.0
    source: { files: [${files.join(', ')}] }
    modules: [{ name: kl_base }, { name: kl_hello, autoload: true, parameters: { greeting: hi } }]
publish: { osImage: "oci:${directory}/os", kmodImage: ${extra === '' ? `"oci:${directory}/kmod"` : extra} }
rollout: { day1: ${day1} }
sign: [{ key: "${QUICKSTART}/keys/TEST-ONLY.key", certificate: "${QUICKSTART}/keys/TEST-ONLY.der" }]
`,
    join(directory, 'kmodlayer.yaml'),
  );
}

async function open(directory: string, io: TestIo, tag: Tag): Promise<OpenedImage> {
  const repository = await io.images.open(parseReference(`oci:${directory}/kmod`), 'read');
  return openImage(repository, tag, 'x86_64');
}

describe('build() with kmod images', () => {
  it('makes an image that modprobe -d finds modules in, beside the layered one', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();

      const { images, kmodImages, failures } = await build(makeSet(directory), OPTIONS, io);

      expect(failures).toEqual([]);
      expect(images).toHaveLength(1);
      expect(kmodImages).toHaveLength(1);
      const image = await open(directory, io, parseTag(KERNEL));
      expect(image.manifest.digest).toBe(kmodImages[0]?.digest);
      const [layer] = image.manifest.layers;
      const links: string[] = [];
      await walkLayer(image.repository.readBlob(layer!), {
        maxBytes: 1e8,
        wants: () => false,
        onEntry: ({ path, type, linkPath }) => {
          if (type === 'symlink') links.push(`${path} -> ${linkPath ?? ''}`);
        },
        onContent: () => undefined,
      });
      expect(links).toEqual([`opt/lib/modules/${KERNEL}/host -> /lib/modules/${KERNEL}`]);
      const { files } = await readLayerFiles(() => image.repository.readBlob(layer!), {
        maxBytes: 1e8,
        wants: () => true,
      });
      expect(files.get(`opt/lib/modules/${KERNEL}/modules.dep`)?.toString()).toBe(
        'updates/hello/kl_base.ko:\nupdates/hello/kl_hello.ko: updates/hello/kl_base.ko\n',
      );
      expect(image.config.architecture).toBe('amd64');
    });
  });

  it('passes the rules of kmod images and the proof of "verify"', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const { kmodImages } = await build(makeSet(directory), OPTIONS, io);
      const image = await open(directory, io, parseTag(KERNEL));
      const { osImage } = kmodImages[0]!.unit.target;
      const base = await openImage(await io.images.open(osImage.location, 'read'), osImage.digest, 'x86_64');

      const linted = await lintImage(image, {}, io);
      const { report } = await verifyImage({ subject: 'kmod', image, base }, io);

      expect(linted).toMatchObject({ kind: 'kmod', findings: [] });
      expect(report).toMatchObject({ verdict: 'passes', findings: [] });
      expect(report.modules.map(({ name }) => name)).toEqual(['kl_base', 'kl_hello']);
    });
  });

  it('names releases by an index over architectures, and finds all there when it runs again', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const first = await build(makeSet(directory), OPTIONS, io);

      const second = await build(makeSet(directory), OPTIONS, io);

      const image = await open(directory, io, parseTag('4.18.4'));
      expect(image.index?.manifests).toMatchObject([{ platform: { architecture: 'amd64', os: 'linux' } }]);
      expect(first.kmodTags.map(({ tag, wasThere }) => [tag, wasThere])).toEqual([
        [KERNEL, false],
        ['4.18.4', false],
      ]);
      expect(second.kmodImages[0]).toMatchObject({ digest: first.kmodImages[0]?.digest, wasThere: true });
      expect(second.kmodTags.every(({ wasThere }) => wasThere)).toBe(true);
    });
  });

  it('leaves drivers of Day 1 out of the layered image, of which nothing is left here', async () => {
    await withTemporaryDirectory(async (directory) => {
      const { images, kmodImages } = await build(
        makeSet(directory, { day1: '[hello]' }),
        OPTIONS,
        makeTestIo(),
      );

      expect(images).toEqual([]);
      expect(kmodImages).toHaveLength(1);
    });
  });

  it('says aloud that an image without a base is not for KMM, and refuses a base without a shell', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      await build(makeSet(directory), OPTIONS, io);
      // An image of modules alone is the smallest that has no shell.
      const extra = `{ repository: "oci:${directory}/other", base: "oci:${directory}/kmod:${KERNEL}" }`;

      const building = build(makeSet(directory, { extra }), OPTIONS, io);

      expect(io.events).toContainEqual(
        expect.objectContaining({
          type: 'warning',
          message: expect.stringContaining('no /bin/sh') as unknown,
        }),
      );
      await expect(building).rejects.toMatchObject({
        code: 'BASE_UNSUPPORTED',
        message: expect.stringContaining('no sh, no cp, no mkdir') as unknown,
      });
    });
  });
});
