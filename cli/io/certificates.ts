import { rmSync } from 'node:fs';
import { copyFile, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { SpecError } from '../../src/errors.ts';
import type { CliContext } from '../context.ts';
import { temporaryRoot } from './directories.ts';

/**
 * Copies CA files to a directory of the form that container engines read, which is removed when the process ends.
 *
 * @throws {SpecError} `USAGE` when a file cannot be read.
 */
export async function copyCertificates(
  files: readonly string[],
  { env, cleanups }: Pick<CliContext, 'env' | 'cleanups'>,
): Promise<string> {
  const directory = await mkdtemp(join(temporaryRoot(env), 'kmodlayer-'));
  cleanups.add(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  for (const [at, file] of files.entries()) {
    try {
      await copyFile(file, join(directory, `ca-${at}.crt`));
    } catch (cause) {
      throw new SpecError('USAGE', `Cannot read the CA file ${file}`, { cause, hint: 'Check --ca-file.' });
    }
  }
  return directory;
}
