import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Build } from './engine.ts';

/** `.git` is never seen by a build, because no digest of a source tells of it. */
export async function ignoreFileOf(build: Pick<Build, 'isForeign' | 'context'>): Promise<string> {
  const own = '.git\n**/.git\n';
  if (build.isForeign !== true || build.context === undefined) return own;
  for (const name of ['.containerignore', '.dockerignore']) {
    const text = await readFile(join(build.context, name), 'utf8').catch(() => undefined);
    if (text !== undefined) return `${text}\n${own}`;
  }
  return own;
}
