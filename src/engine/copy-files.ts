import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CompileError } from '../errors.ts';

/** A driver has a few modules; a build that leaves more than this left something else. */
const FILE_LIMIT = 5000;
const BYTES_LIMIT = 2 * 1024 ** 3;

/** How much a build may leave. */
export interface Allowance {
  /** @throws {CompileError} `COMPILE_FAILED` when one file more, of this size, is too much. */
  readonly take: (sizeBytes: number) => void;
}

export function makeAllowance(): Allowance {
  const left = { files: FILE_LIMIT, bytes: BYTES_LIMIT };
  return {
    take(sizeBytes) {
      left.files -= 1;
      left.bytes -= sizeBytes;
      if (left.files >= 0 && left.bytes >= 0) return;
      throw new CompileError(
        'COMPILE_FAILED',
        'Cannot take over the results of the build: too many files or bytes',
        {
          hint: `A build may leave at most ${FILE_LIMIT} files and ${BYTES_LIMIT / 1024 ** 3} GiB.`,
        },
      );
    },
  };
}

/**
 * Copies the regular files of a tree that a build made. Links and devices are left out: a link made by a build must
 * not be followed on this machine.
 *
 * @throws {CompileError} `COMPILE_FAILED` when there are too many files or bytes.
 */
export async function copyRegularFiles(from: string, to: string): Promise<void> {
  await copyDirectory(from, to, makeAllowance());
}

async function copyDirectory(from: string, to: string, allowance: Allowance): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const path = join(from, entry.name);
    if (entry.isDirectory()) await copyDirectory(path, join(to, entry.name), allowance);
    if (!entry.isFile()) continue;
    allowance.take((await stat(path)).size);
    await copyFile(path, join(to, entry.name));
  }
}
