import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, type CompiledDriver } from '../../src/compile/compile.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import type { DriverSource } from '../../src/spec/driver-set.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { makeCompileIo } from '../support/compile-io.ts';
import { MemoryImages } from '../support/memory-images.ts';
import { addImage, type Entry } from '../support/synthetic-image.ts';
import { makeRequest } from './requests.ts';

const KERNEL = '5.14.0-427.50.1.el9_4.x86_64';
const RPM = resolve('fixtures/rpm/kmod-hello-xz.x86_64.rpm');
const SHA256 = digestOf(readFileSync(RPM));

function read(
  source: DriverSource,
  { kernel = KERNEL, images = new MemoryImages() } = {},
): Promise<CompiledDriver> {
  const request = { ...makeRequest(undefined, { source }), kernel: parseKernelRelease(kernel) };
  return compile(request, makeCompileIo(new Error('no engine here'), undefined, images));
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

describe('A source of packages', () => {
  const file = { location: { type: 'file', path: RPM }, sha256: SHA256 } as const;

  it('gives modules and firmware of the package for the kernel', async () => {
    const other = {
      kernel: parseKernelRelease('5.14.0-1.x86_64'),
      file: { ...file, sha256: digestOf(Buffer.from('')) },
    };

    const compiled = await read({
      type: 'rpm',
      packages: [other, { kernel: parseKernelRelease(KERNEL), file }],
    });

    expect(compiled.modules.map(({ name, bytes }) => [name, textOf(bytes)])).toEqual([
      ['kl_hello', 'int two;\n'],
      ['kl_base', 'int two;\n'],
    ]);
    expect(compiled.firmware?.map(({ path }) => path)).toEqual(['hello/fw.bin']);
    expect(compiled.source).toEqual({ type: 'rpm', package: 'kmod-hello-1.0-3.x86_64', digest: SHA256 });
  });

  it('gives the symbols for the kernel alone, wherever the package has them', async () => {
    const other = '5.14.0-1.x86_64';
    const io = makeCompileIo(new Error('no engine here'));
    const files = new Map(
      [
        ...[KERNEL, other].flatMap((kernel) => [
          ...['kl_base', 'kl_hello'].map((name) => `usr/lib/modules/${kernel}/extra/${name}.ko`),
          `usr/lib/modules/${kernel}/extra/Module.symvers`,
          `usr/src/hello/${kernel}/Module.symvers`,
        ]),
        'usr/share/hello/Module.symvers',
      ].map((path) => [path, Buffer.from(`${path}\n`)]),
    );
    const { facts } = await io.sources.readRpm({ file: RPM, name: RPM }, () => false);
    const source = { type: 'rpm', packages: [{ kernel: undefined, file }] } as const;
    const request = { ...makeRequest(undefined, { source }), kernel: parseKernelRelease(KERNEL) };

    const compiled = await compile(request, {
      ...io,
      sources: { ...io.sources, readRpm: () => Promise.resolve({ facts, files }) },
    });

    expect(compiled.symvers).toBe(
      [
        `usr/lib/modules/${KERNEL}/extra/Module.symvers\n`,
        `usr/src/hello/${KERNEL}/Module.symvers\n`,
        'usr/share/hello/Module.symvers\n',
      ].join(''),
    );
  });

  it('says for which kernels the modules are', async () => {
    const kernel = '5.14.0-427.50.2.el9_4.x86_64';

    await expect(
      read({ type: 'rpm', packages: [{ kernel: undefined, file }] }, { kernel }),
    ).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: `Cannot take hello for ${kernel} out of ${RPM}: its modules are for ${KERNEL}`,
    });
    await expect(
      read({ type: 'rpm', packages: [{ kernel: parseKernelRelease(KERNEL), file }] }, { kernel }),
    ).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });

  it('looks at the checksum first', async () => {
    const wrong = { ...file, sha256: digestOf(Buffer.from('')) };

    await expect(read({ type: 'rpm', packages: [{ kernel: undefined, file: wrong }] })).rejects.toMatchObject(
      {
        code: 'CHECKSUM_MISMATCH',
      },
    );
  });
});

describe('A source of images', () => {
  const rt = `${KERNEL}+rt`;

  async function imagesWith(layers: readonly (readonly Entry[])[], tag: string): Promise<MemoryImages> {
    const images = new MemoryImages();
    const repository = images.at(parseReference('quay.io/vendor/driver'));
    const digest = await addImage(repository, { layers });
    repository.tags.set(parseTag(tag), digest);
    return images;
  }

  it.each(['opt/lib/modules', 'lib/modules', 'usr/lib/modules', 'vendor/root/lib/modules'])(
    'gives modules below %s, by a tag that has the kernel',
    async (prefix) => {
      const images = await imagesWith(
        [
          [
            { path: `${prefix}/${rt}/extra/kl-hello.ko`, content: 'old' },
            { path: `${prefix}/${rt}/kl_base.ko`, content: 'base' },
            { path: `${prefix}/6.0.0/kl_base.ko`, content: 'for another kernel' },
          ],
          [{ path: `${prefix}/${rt}/extra/kl-hello.ko`, content: 'new' }],
        ],
        `1.0-${KERNEL}_rt`,
      );

      const compiled = await read(
        { type: 'image', pattern: 'quay.io/vendor/driver:1.0-{kernel}' },
        { kernel: rt, images },
      );

      expect(compiled.modules.map(({ name, bytes }) => [name, textOf(bytes)])).toEqual([
        ['kl_hello', 'new'],
        ['kl_base', 'base'],
      ]);
      expect(compiled.source).toMatchObject({
        type: 'image',
        image: expect.stringMatching(/^quay\.io\/vendor\/driver@sha256:/) as string,
      });
    },
  );

  it('knows what a layer removes, and names the kernels that there are', async () => {
    const images = await imagesWith(
      [
        [
          { path: `opt/lib/modules/${KERNEL}/kl_hello.ko`, content: 'a' },
          { path: 'opt/lib/modules/6.0.0/kl_hello.ko', content: 'a' },
        ],
        [{ path: `opt/lib/modules/.wh.${KERNEL}`, content: '' }],
      ],
      'v1',
    );

    await expect(
      read({ type: 'image', pattern: 'quay.io/vendor/driver:v1' }, { images }),
    ).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringMatching(/its modules are for 6\.0\.0$/) as string,
    });
  });
});
