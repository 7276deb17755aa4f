import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Io } from '../../src/io.ts';
import { logDirectory, temporaryRoot } from './directories.ts';

/** Logs that are kept; older ones make room for new ones. */
const MAX_LOGS = 100;

/** Keeps logs of failed compiles in files that only this user can read. */
export function makeKeepLog({ env, now }: Pick<Io, 'env' | 'now'>): Io['keepLog'] {
  return async (name, lines) => {
    const stamp = now().toISOString().replaceAll(/[-:]/g, '').replace(/\.\d+/, '');
    const file = `${stamp}-${name.replaceAll(/[^A-Za-z0-9._+-]/g, '_').slice(0, 150)}`;
    const text = lines.map((line) => `${line}\n`).join('');
    const directory = logDirectory(env);
    try {
      return await keep(directory, file, text);
    } catch {
      // A home that cannot be written, as in many containers: the log is still worth having.
      return await keep(join(temporaryRoot(env), 'kmodlayer-logs'), file, text);
    }
  };
}

async function keep(directory: string, file: string, text: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, file), text, { mode: 0o600 });
  // The stamp comes first in the name: sorted by name is sorted by age.
  const logs = (await readdir(directory)).sort();
  for (const old of logs.slice(0, -MAX_LOGS)) await rm(join(directory, old), { force: true });
  return join(directory, file);
}
