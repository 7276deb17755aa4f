import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpecError } from '../../src/errors.ts';
import { writeFileAtomically } from '../../src/registry/atomic-file.ts';
import { reasonOf } from './read-input.ts';

/**
 * Writes a file that the user asked for: all of it or nothing, and its directory when that is missing.
 *
 * @param mode Permissions; those of other new files when absent.
 * @throws {SpecError} `USAGE`.
 */
export async function writeOutput(path: string, bytes: Uint8Array, mode?: number): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomically(path, async (file) => {
      await file.writeFile(bytes);
      if (mode !== undefined) await file.chmod(mode);
    });
  } catch (error) {
    throw new SpecError('USAGE', `Cannot write ${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Check who may write there, and the space that is left.',
    });
  }
}
