import { readFile } from 'node:fs/promises';
import { CompileError } from '../errors.ts';
import type { Build } from './engine.ts';

/**
 * Contents of all secrets of some builds, for blotting them out.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function readSecrets(builds: readonly Build[]): Promise<readonly string[]> {
  const files = new Set(builds.flatMap((build) => build.secrets.map(({ file }) => file)));
  return Promise.all([...files].map(async (file) => (await readSecret(file)).toString('utf8')));
}

/** @throws {CompileError} `SOURCE_UNREADABLE`. */
export async function readSecret(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the secret file ${file}`, {
      cause: error,
      hint: 'Check the path in "build.secrets"; relative paths start at the spec.',
    });
  }
}
