import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Cache } from '../../src/io.ts';
import { writeFileAtomically } from '../../src/registry/atomic-file.ts';

/** Length of the hex digest and the line break that stand before the bytes of an entry. */
const HEADER_BYTES = 65;

/**
 * A cache of files. Each entry begins with the SHA-256 of the rest, so that one which was cut off or changed is as good
 * as none.
 */
export function makeCache(directory: string): Cache {
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
      if (entry.toString('latin1', 0, HEADER_BYTES) === `${hashOf(bytes)}\n`) return bytes;
      await rm(file, { force: true }).catch(() => undefined);
      return undefined;
    },
    async put(key, bytes) {
      const file = fileOf(key);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFileAtomically(file, async (handle) => {
          await handle.write(`${hashOf(bytes)}\n`);
          await handle.writeFile(bytes);
        });
      } catch {
        // A full or read-only disk makes the next run slower, no more.
      }
    },
  };
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
