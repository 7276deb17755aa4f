import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReaderPool, type ReaderPool } from '../../../cli/module-reader/pool.ts';
import { ModuleError } from '../../../src/errors.ts';
import { compressModule, type ModuleCompression } from '../../../src/kmod/compression.ts';

const MODULE = 'fixtures/modules/kl_provider.ko';

let scratch: string;
let workerFile: string;
let module: Buffer;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-reader-'));
  workerFile = join(scratch, 'worker.mjs');
  await build({
    ...{ entryPoints: ['cli/module-reader/worker.ts'], outfile: workerFile, bundle: true },
    ...{ platform: 'node', format: 'esm', external: ['@bokuweb/zstd-wasm'] },
  });
  module = await readFile(MODULE);
  for (const compression of ['none', 'gz', 'xz'] as const) {
    await writeFile(fileOf(compression), await compressModule(module, compression));
  }
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

function fileOf(compression: ModuleCompression): string {
  return join(scratch, `one.ko.${compression}`);
}

async function withPool<T>(file: string | undefined, use: (pool: ReaderPool) => Promise<T>): Promise<T> {
  const pool = openReaderPool({ threads: 2, workerFile: file });
  try {
    return await use(pool);
  } finally {
    await pool.close();
  }
}

describe('openReaderPool()', () => {
  it('reads modules in threads', async () => {
    await withPool(workerFile, async (pool) => {
      const wanted = Array.from(
        { length: 12 },
        (_, index) => (['none', 'gz', 'xz'] as const)[index % 3] ?? 'xz',
      );
      const read = await Promise.all(wanted.map((compression) => pool.read(fileOf(compression))));

      for (const bytes of read) expect(module.equals(bytes)).toBe(true);
      expect(pool.countThreads()).toBe(2);
    });
  });

  it('gives files that it was told to expect, each as often as it is asked for', async () => {
    await withPool(workerFile, async (pool) => {
      pool.expect([fileOf('xz'), join(scratch, 'none')]);

      expect(module.equals(await pool.read(fileOf('xz')))).toBe(true);
      expect(module.equals(await pool.read(fileOf('xz')))).toBe(true);
      await expect(pool.read(join(scratch, 'none'))).rejects.toThrow(/ENOENT/);
    });
  });

  it('says of files that cannot be read or unpacked why', async () => {
    const damaged = join(scratch, 'damaged.ko.xz');
    await writeFile(damaged, (await readFile(fileOf('xz'))).subarray(0, -1));

    await withPool(workerFile, async (pool) => {
      await expect(pool.read(damaged)).rejects.toThrow(ModuleError);
      await expect(pool.read(join(scratch, 'none'))).rejects.toThrow(/ENOENT/);
      expect(module.equals(await pool.read(fileOf('xz')))).toBe(true);
      expect(pool.countThreads()).toBe(2);
    });
  });

  it.each([
    ['there is no worker', undefined],
    ['the worker cannot be started', 'no-such-worker.mjs'],
    ['the worker ends', 'ends.mjs'],
  ])('reads modules itself where %s', async (_, name) => {
    await writeFile(
      join(scratch, 'ends.mjs'),
      "import { parentPort } from 'node:worker_threads';\nparentPort.once('message', () => process.exit(1));\n",
    );
    const file = name === undefined ? undefined : join(scratch, name);

    await withPool(file, async (pool) => {
      const read = await Promise.all(Array.from({ length: 6 }, () => pool.read(fileOf('xz'))));

      for (const bytes of read) expect(module.equals(bytes)).toBe(true);
      expect(pool.countThreads()).toBe(0);
    });
  });
});
