import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { SpecError } from '../../src/errors.ts';
import type { CliContext } from '../context.ts';
import { reasonOf } from './read-input.ts';

/** Of 5 ms each. */
const MAX_TRIES = 1000;

/**
 * Opens what `--events` names: a file, `-` for stdout, or the number of a file descriptor. Each line is written at
 * once, so that what a process said before it was killed is there.
 *
 * @param onFailure Called once when nothing can be written any more; what follows is then lost.
 * @throws {SpecError} `USAGE` when it cannot be opened.
 */
export function openEventFile(
  name: string,
  { stdout, cwd, cleanups }: Pick<CliContext, 'stdout' | 'cwd' | 'cleanups'>,
  onFailure: (why: string) => void,
): (line: string) => void {
  if (name === '-') {
    return (line) => {
      stdout.write(line);
    };
  }
  const isOurs = !/^\d{1,4}$/.test(name);
  let fd: number | undefined = isOurs ? openFile(resolve(cwd, name), name) : Number(name);
  cleanups.add(() => {
    if (isOurs && fd !== undefined) closeSync(fd);
  });
  return (line) => {
    if (fd === undefined) return;
    try {
      writeAll(fd, Buffer.from(line));
    } catch (error) {
      fd = undefined;
      onFailure(`events are not written to ${name} any more: ${reasonOf(error)}`);
    }
  };
}

function openFile(path: string, name: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new SpecError('USAGE', `Cannot write events to ${name}: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Give a file in a directory that is there, "-" for stdout, or the number of an open file descriptor.',
    });
  }
}

/**
 * A disk that is nearly full takes a part without an error; a pipe whose reader is slow asks to try again, which a
 * build does not do for ever.
 */
function writeAll(fd: number, bytes: Buffer): void {
  let tries = 0;
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isFull || ++tries > MAX_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
