import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventFile } from '../../cli/io/event-file.ts';
import { contextOf } from '../support/cli.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('openEventFile()', () => {
  it('writes a file anew, and each line at once', async () => {
    const { context } = contextOf({ cwd: directory });
    openEventFile('events', context, () => undefined)('old\n');
    const write = openEventFile('events', context, () => undefined);

    write('one\n');

    expect(await readFile(join(directory, 'events'), 'utf8')).toBe('one\n');
    for (const cleanUp of context.cleanups) cleanUp();
  });

  it('writes to stdout, and to a file descriptor that it leaves open', async () => {
    const { context, written } = contextOf({ cwd: directory });
    const fd = openSync(join(directory, 'fd'), 'w');

    openEventFile('-', context, () => undefined)('to stdout\n');
    openEventFile(String(fd), context, () => undefined)('to a descriptor\n');

    for (const cleanUp of context.cleanups) cleanUp();
    closeSync(fd);
    expect(written.stdout).toBe('to stdout\n');
    expect(await readFile(join(directory, 'fd'), 'utf8')).toBe('to a descriptor\n');
  });

  it('says once when nothing can be written any more', () => {
    const { context } = contextOf({ cwd: directory });
    const said: string[] = [];
    const fd = openSync('/dev/full', 'w');
    const write = openEventFile(String(fd), context, (why) => said.push(why));

    write('one\n');
    write('two\n');

    closeSync(fd);
    expect(said).toEqual([
      expect.stringMatching(/^events are not written to \d+ any more: .*no space left/i),
    ]);
  });

  it('refuses a place where no file can be', () => {
    const { context } = contextOf({ cwd: directory });

    expect(() => openEventFile('nowhere/events', context, () => undefined)).toThrow(
      'Cannot write events to nowhere/events',
    );
  });
});
