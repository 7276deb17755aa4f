import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Cache } from '../../src/io.ts';
import { writeFileAtomically } from '../../src/registry/atomic-file.ts';

/** Length of the hex digest and the line break that stand before the bytes of an entry. */
const HEADER_BYTES = 65;

/** Every entry is in a directory of this form; what else lies beside them is of no concern here. */
const SHARD = /^[0-9a-f]{2}$/;

export interface CacheOptions {
  /** Entries that were not used for the longest time are removed when all of them have more bytes than this. */
  readonly maxBytes?: number;
}

/**
 * A cache of files. Each entry begins with the SHA-256 of the rest, so that one which was cut off or changed is as good
 * as none.
 */
export function makeCache(directory: string, { maxBytes }: CacheOptions = {}): Cache {
  const fileOf = (key: string): string => {
    const name = hashOf(Buffer.from(key));
    return join(directory, name.slice(0, 2), name.slice(2));
  };
  return {
    async get(key) {
      const file = fileOf(key);
      const entry = await readFile(file).catch(() => undefined);
      if (entry === undefined) return undefined;
      const bytes = entry.subarray(HEADER_BYTES);
      if (entry.toString('latin1', 0, HEADER_BYTES) === `${hashOf(bytes)}\n`) {
        // Its time is that of its last use.
        if (maxBytes !== undefined) await utimes(file, new Date(), new Date()).catch(() => undefined);
        return bytes;
      }
      await rm(file, { force: true }).catch(() => undefined);
      return undefined;
    },
    async put(key, bytes) {
      const file = fileOf(key);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFileAtomically(file, async (handle) => {
          await handle.writeFile(`${hashOf(bytes)}\n`);
          await handle.writeFile(bytes);
        });
        if (maxBytes !== undefined) await prune(directory, maxBytes);
      } catch {
        // A full or read-only disk makes the next run slower, no more.
      }
    },
  };
}

/** Another run may do the same at the same time: what is gone is gone. */
async function prune(directory: string, maxBytes: number): Promise<void> {
  const shards = (await readdir(directory)).filter((name) => SHARD.test(name));
  const files = await Promise.all(
    shards.map(async (shard) =>
      (await readdir(join(directory, shard))).map((name) => join(directory, shard, name)),
    ),
  );
  const entries = await Promise.all(
    files.flat().map(async (file) => {
      const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
      return { file, size, mtimeMs };
    }),
  );
  let size = entries.reduce((sum, entry) => sum + entry.size, 0);
  for (const entry of entries.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (size <= maxBytes) return;
    await rm(entry.file, { force: true });
    size -= entry.size;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
