import { access, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BuiltImage, openBase } from '../src/build-image.ts';
import { build, planBuild } from '../src/build.ts';
import { readModule } from '../src/kmod/read-module.ts';
import { readLayerFiles } from '../src/oci/layer-files.ts';
import { openImage, type OpenedImage } from '../src/oci/open-image.ts';
import { parseReference, unpinned } from '../src/oci/reference.ts';
import { parseCertificate } from '../src/sign/certificate.ts';
import { describeSignature } from '../src/sign/describe-signature.ts';
import { verifyModuleSignature } from '../src/sign/verify-signature.ts';
import { parseReleaseRange } from '../src/spec/release-range.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { STATIC_PASS } from '../src/verify/report.ts';
import { makeTestIo, type TestIo, withTemporaryDirectory } from './support/io.ts';

const QUICKSTART = resolve('fixtures/quickstart');
const KERNEL = '6.1.0-56-amd64';
const OPTIONS = { toolVersion: '0.0.0-test' };

interface SetOptions {
  readonly signed?: boolean;
  readonly files?: readonly string[];
  readonly modules?: string;
  readonly releases?: string;
  readonly kernels?: string;
}

function makeSet(directory: string, options: SetOptions = {}): DriverSet {
  const {
    signed = true,
    files = ['kl_base.ko', 'kl_hello.ko'].map((name) => `${QUICKSTART}/modules/${name}`),
  } = options;
  const sign = `sign: [{ key: "${QUICKSTART}/keys/TEST-ONLY.key", certificate: "${QUICKSTART}/keys/TEST-ONLY.der" }]`;
  const text = `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets:
  releases: [${options.releases ?? `"oci:${QUICKSTART}/release:4.18.4"`}]
  kernels: [${options.kernels ?? 'default'}]
drivers:
  - name: hello
    version: 1.0.0
    source: { files: [${files.map((file) => JSON.stringify(file)).join(', ')}] }
    modules: ${options.modules ?? '[{ name: kl_base }, { name: kl_hello, autoload: true, parameters: { greeting: hi } }]'}
    softdeps: [{ module: kl_hello, pre: [dummy] }]
publish: { osImage: "oci:${directory}/out" }
${signed ? sign : ''}
`;
  return parseSpec(text, join(directory, 'kmodlayer.yaml'));
}

async function openBuilt(directory: string, io: TestIo, digest: string): Promise<OpenedImage> {
  const reference = parseReference(`oci:${directory}/out@${digest}`);
  const repository = await io.images.open(unpinned(reference), 'read');
  return openImage(repository, reference.digest!, 'x86_64');
}

async function readLayer(image: OpenedImage): Promise<ReadonlyMap<string, Buffer>> {
  const layer = image.manifest.layers.at(-1)!;
  const options = { maxBytes: 1e8, wants: () => true };
  return (await readLayerFiles(() => image.repository.readBlob(layer), options)).files;
}

describe('build()', () => {
  it('layers a signed driver on the OS image of a release and tags the result', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();

      const { images, failures } = await build(makeSet(directory), OPTIONS, io);

      expect(failures).toEqual([]);
      const [built] = images;
      expect(built?.tag).toMatch(/^4\.18\.4-6\.1\.0-56-amd64-[0-9a-f]{12}$/);
      const image = await openBuilt(directory, io, built!.digest);
      const files = await readLayer(image);
      expect([...files.keys()]).toEqual([
        'etc/driver-toolkit-release.json',
        'usr/lib/modprobe.d/kmodlayer-hello.conf',
        'usr/lib/modules-load.d/kmodlayer-hello.conf',
        `usr/lib/modules/${KERNEL}/extra/hello/kl_base.ko`,
        `usr/lib/modules/${KERNEL}/extra/hello/kl_hello.ko`,
        ...['alias', 'alias.bin', 'dep', 'dep.bin', 'symbols', 'symbols.bin'].map(
          (name) => `usr/lib/modules/${KERNEL}/modules.${name}`,
        ),
        'usr/share/kmodlayer/hello.json',
      ]);
      expect(files.get('usr/lib/modules-load.d/kmodlayer-hello.conf')?.toString()).toBe('kl_hello\n');
      expect(files.get('usr/lib/modprobe.d/kmodlayer-hello.conf')?.toString()).toBe(
        'options kl_hello greeting=hi\nsoftdep kl_hello pre: dummy\n',
      );
      const signed = files.get(`usr/lib/modules/${KERNEL}/extra/hello/kl_hello.ko`)!;
      expect(describeSignature(signed)).toMatchObject({ hash: 'sha256' });
      expect(readModule(signed).exports).toEqual([]);
    });
  });

  it('says in labels and in the image what it was made from', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();

      const { images } = await build(makeSet(directory), OPTIONS, io);

      const image = await openBuilt(directory, io, images[0]!.digest);
      const json = JSON.parse(
        (await readLayer(image)).get('usr/share/kmodlayer/hello.json')!.toString(),
      ) as Record<string, unknown>;
      const { target } = images[0]!;
      expect(json).toMatchObject({
        schema: 'kmodlayer/provenance/v1',
        release: { version: '4.18.4', digest: target.release.digest },
        kernel: KERNEL,
        base: { digest: target.osImage.digest },
        drivers: [{ name: 'hello', version: '1.0.0', source: { type: 'files' } }],
        signers: [{ subject: 'kmodlayer TEST ONLY never enrol', hash: 'sha256' }],
      });
      expect(image.config.labels).toMatchObject({
        'io.kmodlayer.drivers': 'hello=1.0.0',
        'io.kmodlayer.kernel': KERNEL,
        'io.kmodlayer.input-hash': json['inputHash'],
        'org.opencontainers.image.base.digest': target.osImage.digest,
        'ostree.final-diffid': image.config.diffIds.at(-2),
        version: '418.94.202503011200-0',
      });
    });
  });

  it('gives the same image when it runs again, and reads no layer of the base for it', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const first = await build(makeSet(directory), OPTIONS, io);
      const learnt = io.cached.size;

      const second = await build(makeSet(directory), { ...OPTIONS, force: true }, io);

      expect(second.images[0]).toMatchObject({ digest: first.images[0]?.digest, wasThere: true });
      expect(second.images[0]?.proof?.verdict).toBe('passes');
      expect(io.cached.size).toBe(learnt);
    });
  });

  it('signs with a key that is thrown away, says so, and marks the image', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const set = { ...makeSet(directory), signing: { type: 'throw-away' } as const };

      const [first, second] = [await build(set, OPTIONS, io), await build(set, OPTIONS, io)];

      const image = await openBuilt(directory, io, first.images[0]!.digest);
      expect(image.config.labels).toMatchObject({
        'io.kmodlayer.throw-away-key': 'true',
        'io.kmodlayer.signer': expect.stringMatching(/^kmodlayer throw-away key, never enrol /) as string,
      });
      expect(io.events).toContainEqual(
        expect.objectContaining({
          type: 'warning',
          message: expect.stringContaining('cannot be published') as string,
        }),
      );
      const files = await readLayer(image);
      const provenance = JSON.parse(files.get('usr/share/kmodlayer/hello.json')!.toString()) as {
        throwAwayKey: boolean;
        signers: readonly { certificate: string }[];
      };
      const certificate = parseCertificate(Buffer.from(provenance.signers[0]!.certificate));
      const module = files.get(`usr/lib/modules/${KERNEL}/extra/hello/kl_hello.ko`)!;
      expect(provenance.throwAwayKey).toBe(true);
      expect(verifyModuleSignature(module, [certificate])).toMatchObject({ status: 'valid' });
      expect(second.images[0]!.digest).not.toBe(first.images[0]!.digest);
    });
  });

  it('refuses to publish what is signed with a key that is thrown away, before anything is done', async () => {
    await withTemporaryDirectory(async (directory) => {
      const publish = { osImage: parseReference('quay.example.com/acme/os') };
      const set = { ...makeSet(directory), signing: { type: 'throw-away' } as const, publish };

      await expect(build(set, OPTIONS, makeTestIo())).rejects.toMatchObject({ code: 'THROW_AWAY_KEY' });
    });
  });

  it('refuses to publish what is made of an image so signed, before anything is compiled', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const set = { ...makeSet(directory), signing: { type: 'throw-away' } as const };
      const [{ image, digest, target }] = (await build(set, OPTIONS, io)).images as [BuiltImage];
      const marked = { ...target, osImage: { ...target.osImage, location: unpinned(image), digest } };
      const published = { ...set, publish: { osImage: parseReference('quay.example.com/acme/os') } };

      await expect(openBase(published, marked, io)).rejects.toMatchObject({ code: 'THROW_AWAY_KEY' });
      expect((await openBase(set, marked, io)).manifest.digest).toBe(digest);
    });
  });

  it('marks an image of prebuilt modules that come with such a signature', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const set = { ...makeSet(directory), signing: { type: 'throw-away' } as const };
      const { images } = await build(set, OPTIONS, io);
      const files = await readLayer(await openBuilt(directory, io, images[0]!.digest));
      const prebuilt = ['kl_base.ko', 'kl_hello.ko'].map((name) => join(directory, name));
      for (const path of prebuilt)
        await writeFile(path, files.get(`usr/lib/modules/${KERNEL}/extra/hello/${basename(path)}`)!);

      const again = await build(makeSet(directory, { signed: false, files: prebuilt }), OPTIONS, io);

      const { config } = await openBuilt(directory, io, again.images[0]!.digest);
      expect(config.labels).toMatchObject({ 'io.kmodlayer.throw-away-key': 'true' });
    });
  });

  it('says aloud that modules are not signed', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();

      const { images } = await build(makeSet(directory, { signed: false }), OPTIONS, io);

      expect(io.events).toContainEqual(
        expect.objectContaining({ type: 'warning', message: 'the modules will not be signed' }),
      );
      expect((await openBuilt(directory, io, images[0]!.digest)).config.labels['io.kmodlayer.signer']).toBe(
        'unsigned',
      );
    });
  });

  it('publishes nothing that is signed with a hash that the kernel cannot compute', async () => {
    await withTemporaryDirectory(async (directory) => {
      const set = makeSet(directory);
      if (set.signing.type !== 'signers') throw new TypeError('The set is not signed');
      const signers = [{ ...set.signing.signers[0], hash: 'sha512' as const }] as const;

      const building = build({ ...set, signing: { type: 'signers', signers } }, OPTIONS, makeTestIo());

      await expect(building).rejects.toMatchObject({
        code: 'WOULD_NOT_LOAD',
        message: expect.stringMatching(/cannot compute sha512 .* wanted sha256/) as string,
        hint: "Sign with the hash that the kernel's own modules have.",
      });
      await expect(access(join(directory, 'out'))).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  it('refuses a module for another kernel before anything is pushed', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const bytes = await readFile(`${QUICKSTART}/modules/kl_base.ko`);
      const other = Buffer.from(
        bytes.toString('latin1').replace(`vermagic=${KERNEL}`, 'vermagic=6.1.0-55-amd64'),
        'latin1',
      );
      const files = {
        ...io.files,
        read: (path: string) => (path.endsWith('kl_base.ko') ? Promise.resolve(other) : io.files.read(path)),
      };

      const result = build(makeSet(directory), OPTIONS, { ...io, files });

      await expect(result).rejects.toMatchObject({
        code: 'KERNEL_MISMATCH',
        message:
          'Cannot use kl_base.ko: it was built for kernel 6.1.0-55-amd64, the image has 6.1.0-56-amd64',
      });
      await expect(io.files.list(join(directory, 'out'))).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  it('proves each module before it pushes, and tells how', async () => {
    await withTemporaryDirectory(async (directory) => {
      const { images } = await build(makeSet(directory), OPTIONS, makeTestIo());

      const proof = images[0]?.proof;
      expect(proof).toMatchObject({
        verdict: 'passes',
        statement: STATIC_PASS,
        kernel: KERNEL,
        release: '4.18.4',
      });
      expect(proof?.evidence.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['symvers.gz', 'config', 'modules.dep']),
      );
      const hello = proof?.modules.find(({ name }) => name === 'kl_hello');
      expect(hello?.checks.filter(({ status }) => status !== 'pass')).toEqual([]);
      expect(hello?.dependencies).toEqual(['extra/hello/kl_base.ko']);
    });
  });

  it('pushes nothing when a symbol has another CRC than the kernel', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();
      const bytes = await readFile(`${QUICKSTART}/modules/kl_base.ko`);
      const at = bytes.indexOf('module_layout\0');
      bytes.writeUInt32LE(0x1234, at - 8);
      const files = {
        ...io.files,
        read: (path: string) => (path.endsWith('kl_base.ko') ? Promise.resolve(bytes) : io.files.read(path)),
      };

      const result = build(makeSet(directory), OPTIONS, { ...io, files });

      await expect(result).rejects.toMatchObject({
        code: 'WOULD_NOT_LOAD',
        message: expect.stringMatching(
          /extra\/hello\/kl_base\.ko fails module-layout: .*wanted 0x9060323f, found 0x00001234, provided by vmlinux/,
        ) as string,
      });
      await expect(io.files.list(join(directory, 'out'))).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  it('builds a release once that is named twice, and none whose payload has an excluded version', async () => {
    await withTemporaryDirectory(async (directory) => {
      const name = `oci:${QUICKSTART}/release`;
      const set = makeSet(directory, { releases: `"${name}:4.18.4", "${name}"` });
      const exclude = [
        { type: 'release', range: parseReleaseRange('4.18.x'), because: 'of a test' } as const,
      ];

      const twice = await planBuild(set, {}, makeTestIo());
      const none = planBuild({ ...set, targets: { ...set.targets, exclude } }, {}, makeTestIo());

      expect(twice.plan.images).toHaveLength(1);
      await expect(none).rejects.toMatchObject({
        code: 'RANGE_EMPTY',
        message: 'Cannot build for any release: the spec leaves out 4.18.4 (of a test)',
      });
    });
  });

  it('refuses kernels that are not in the OS image when there is nowhere else for their modules', async () => {
    await withTemporaryDirectory(async (directory) => {
      const result = build(makeSet(directory, { kernels: 'default, rt' }), OPTIONS, makeTestIo());

      await expect(result).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining('the rt kernel comes from the extensions') as string,
        hint: expect.stringContaining('set publish.kmodImage') as string,
      });
    });
  });

  it('does the other releases when it is to keep going, and reports the one that failed', async () => {
    await withTemporaryDirectory(async (directory) => {
      const releases = `"oci:${QUICKSTART}/release:4.18.4", "oci:${QUICKSTART}/release:4.99.0"`;

      const { images, failures } = await build(
        makeSet(directory, { releases }),
        { ...OPTIONS, keepGoing: true },
        makeTestIo(),
      );

      expect(images).toHaveLength(1);
      expect(failures).toMatchObject([{ what: `oci:${QUICKSTART}/release:4.99.0` }]);
    });
  });

  it('stops at the first release that fails otherwise', async () => {
    await withTemporaryDirectory(async (directory) => {
      const releases = `"oci:${QUICKSTART}/release:4.18.4", "oci:${QUICKSTART}/release:4.99.0"`;

      await expect(build(makeSet(directory, { releases }), OPTIONS, makeTestIo())).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    });
  });

  it('honours SOURCE_DATE_EPOCH in the config and nowhere in the layer', async () => {
    await withTemporaryDirectory(async (directory) => {
      const plain = await build(makeSet(directory), OPTIONS, makeTestIo());
      const io = makeTestIo({ env: { SOURCE_DATE_EPOCH: '1700000000' } });

      const dated = await build(makeSet(directory), { ...OPTIONS, force: true }, io);

      expect(dated.images[0]?.layer?.diffId).toBe(plain.images[0]?.layer?.diffId);
      const image = await openBuilt(directory, io, dated.images[0]!.digest);
      expect(image.config.json['created']).toBe('2023-11-14T22:13:20.000Z');
    });
  });
});

describe('planBuild()', () => {
  it('says what would be done, and writes nothing', async () => {
    await withTemporaryDirectory(async (directory) => {
      const io = makeTestIo();

      const { plan } = await planBuild(makeSet(directory), {}, io);

      expect(plan.compiles.map(({ id }) => id)).toEqual([`hello for ${KERNEL}`]);
      expect(plan.images.map(({ id }) => id)).toEqual(['4.18.4 x86_64 rhel-9']);
      expect(await io.files.list(directory)).toEqual([]);
    });
  });
});
