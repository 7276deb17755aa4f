import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decompressModule } from '../../src/kmod/compression.ts';
import { bootMany, type ModuleToLoad } from '../support/boot-many.ts';
import { listDebianKernels } from '../support/kernels.ts';

const TIMEOUT_MS = 600_000;

describe.each(listDebianKernels().map(({ release, modules }) => [release, modules] as const))(
  'bootMany() on %s',
  (kernelRelease, directory) => {
    const module = async (path: string): Promise<ModuleToLoad> => ({
      name: path.replace(/.*\//, ''),
      bytes: await readModule(join(directory, path)),
    });

    it(
      'tells modules that load, that need hardware, and that the kernel refuses',
      async () => {
        const dummy = await module('drivers/net/dummy');
        const broken = Buffer.from(dummy.bytes);
        broken.writeUInt16LE(183, 18);

        const { loads, run } = await bootMany({
          kernelRelease,
          modules: [
            dummy,
            await module('drivers/char/hw_random/amd-rng'),
            { name: 'dummy', bytes: broken },
            // Taken out again each time: the name is free.
            dummy,
          ],
        });

        expect(loads.map(({ outcome }) => outcome)).toEqual([
          'loaded',
          'needs-hardware',
          'refused',
          'loaded',
        ]);
        expect(loads[1]?.messages).toContain('init() of amd_rng returned -19: No such device');
        expect(run.seen).toMatchObject({ kernelRelease, isSignatureEnforced: false, tainted: 0 });
      },
      TIMEOUT_MS,
    );

    it(
      'lets only what is signed load with Secure Boot',
      async () => {
        const dummy = await module('drivers/net/dummy');

        const { loads, run } = await bootMany({
          kernelRelease,
          modules: [{ ...dummy, bytes: dummy.bytes.subarray(0, -1) }, dummy],
          secureBoot: { certificates: [], place: 'db' },
        });

        expect(loads.map(({ outcome }) => outcome)).toEqual(['refused', 'loaded']);
        expect(run.seen).toMatchObject({ isSignatureEnforced: true, lockdown: 'integrity' });
      },
      TIMEOUT_MS,
    );
  },
);

async function readModule(path: string): Promise<Buffer> {
  try {
    return readFileSync(`${path}.ko`);
  } catch {
    return decompressModule(readFileSync(`${path}.ko.xz`));
  }
}
