import { SpecError } from '../../src/errors.ts';
import type { Files } from '../../src/io.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
};

/**
 * Reads a file that the user named.
 *
 * @throws {SpecError} `SPEC_UNREADABLE`.
 */
export async function readInput(files: Files, path: string): Promise<Uint8Array> {
  try {
    return await files.read(path);
  } catch (error) {
    throw new SpecError('SPEC_UNREADABLE', `Cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Check the path and who may read it.',
    });
  }
}

/** Why a file operation failed, in words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return REASONS[code] ?? error.message;
}
