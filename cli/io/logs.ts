import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../../src/events.ts';
import type { Io, LogFile } from '../../src/io.ts';
import { logDirectory, temporaryRoot } from './directories.ts';

/** Logs that are kept; older ones make room for new ones. */
const MAX_LOGS = 500;
/** How names of logs begin; other files in the directory are not ours to remove. */
const STAMPED = /^\d{8}T\d{6}Z-/;

export interface LogOptions extends Pick<Io, 'env' | 'now'> {
  /** Directory that the user named: everything in it stays. */
  readonly directory?: string | undefined;
  readonly report: Report;
}

/** Keeps what compiles print, in files that only this user can read. */
export function makeOpenLog({ env, now, directory, report }: LogOptions): Io['openLog'] {
  return async (name) => {
    const stamp = now().toISOString().replaceAll(/[-:]/g, '').replace(/\.\d+/, '');
    const plain = name.replaceAll(/[^A-Za-z0-9._+-]/g, '_').slice(0, 150);
    // Two runs may compile the same at the same time.
    const file = `${stamp}-${randomBytes(2).toString('hex')}-${plain}`;
    // A home that cannot be written, as in many containers: the log is still worth having.
    const temporary = join(temporaryRoot(env), 'kmodlayer-logs');
    const places = [directory ?? logDirectory(env), temporary];
    for (const place of places) {
      try {
        return await openIn(place, file, {
          isOurs: place !== directory,
          isShared: place === temporary,
          report,
        });
      } catch (error) {
        report({ type: 'detail', message: `no log in ${place}: ${messageOf(error)}` });
      }
    }
    report({
      type: 'warning',
      message: `the log ${plain} is not kept: nothing can be written in ${places.join(', ')}`,
    });
    return { path: undefined, add: () => undefined, close: () => Promise.resolve() };
  };
}

interface Place {
  /** Nobody has named it: old logs may go. */
  readonly isOurs: boolean;
  /** Others can make a directory of this name, too. */
  readonly isShared: boolean;
  readonly report: Report;
}

async function openIn(
  directory: string,
  name: string,
  { isOurs, isShared, report }: Place,
): Promise<LogFile> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (isOurs && isShared) await requireOurs(directory);
  const path = join(directory, name);
  const handle = await open(path, 'wx', 0o600);
  if (isOurs) await removeOld(directory);
  const stream = createWriteStream(path, { fd: handle });
  const closed = new Promise<void>((done) => stream.once('close', done));
  stream.once('error', (error) => {
    // A full disk costs the rest of the log, not the compile.
    report({ type: 'warning', message: `the log ${path} is not complete: ${messageOf(error)}` });
  });
  return {
    path,
    add(line) {
      if (!stream.destroyed) stream.write(`${line}\n`);
    },
    close: () => {
      stream.end();
      return closed;
    },
  };
}

/** Everybody may make a directory in the one for temporary files, and say what a link of that name points to. */
async function requireOurs(directory: string): Promise<void> {
  const stats = await lstat(directory);
  const user = process.getuid?.() ?? stats.uid;
  if (!stats.isDirectory() || stats.uid !== user || (stats.mode & 0o022) !== 0) {
    throw new Error('it is a link, or others may write to it');
  }
}

/** The stamp comes first in the name: sorted by name is sorted by age. */
async function removeOld(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => STAMPED.test(name)).sort();
  for (const old of logs.slice(0, -MAX_LOGS)) await rm(join(directory, old), { force: true });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
