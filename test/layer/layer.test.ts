import { describe, expect, it } from 'vitest';
import { layer, type Layer } from '../../src/layer/layer.ts';
import { openImage } from '../../src/oci/open-image.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { makeTestIo } from '../support/io.ts';

/** Lays out a driver of one module, which has a name but no content, on the quickstart's OS image. */
async function layerModule(name: string, replaces: readonly string[] = []): Promise<Layer> {
  const io = makeTestIo();
  const [target] = await resolve({ release: 'oci:fixtures/quickstart/release:4.18.4' }, io);
  const { osImage } = target!;
  const repository = await io.images.open(osImage.location, 'read');
  const module = {
    name,
    fileName: `${name}.ko`,
    bytes: new Uint8Array(),
    autoload: false,
    replaces,
    parameters: {},
  };
  return layer(
    {
      image: await openImage(repository, osImage.digest, 'x86_64'),
      kernel: osImage.kernel,
      drivers: [{ name: 'driver', modules: [module], softdeps: [], firmware: [] }],
      modules: new Map(),
      extraFiles: [],
    },
    io,
  );
}

describe('layer()', () => {
  it('refuses to take the place of an in-tree module unless the spec says so', async () => {
    await expect(layerModule('dummy')).rejects.toMatchObject({
      code: 'OVERRIDE_UNDECLARED',
      message: 'Cannot add dummy.ko: it would take the place of kernel/drivers/net/dummy.ko.xz',
      hint: 'If that is wanted, say "replaces: [dummy]" for the module in the spec.',
    });
  });

  it('names the module that is replaced in an override line of depmod.d', async () => {
    const { files } = await layerModule('dummy', ['dummy']);

    const config = files.find(({ path }) => path === 'usr/lib/depmod.d/kmodlayer-driver.conf');
    expect(Buffer.from(config?.bytes ?? []).toString()).toBe('override dummy * extra/driver\n');
  });

  it('refuses a module that the kernel has built in', async () => {
    await expect(layerModule('unix', ['unix'])).rejects.toMatchObject({
      code: 'DUPLICATE_MODULE',
      message: 'Cannot add unix.ko: the kernel has unix built in',
    });
  });
});
