import { createHash } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCache } from '../../cli/io/cache.ts';
import { cacheDirectory, logDirectory } from '../../cli/io/directories.ts';
import { makeFiles } from '../../cli/io/files.ts';
import { type LogOptions, makeOpenLog } from '../../cli/io/logs.ts';
import { makeTemporary } from '../../cli/io/temporary.ts';
import type { Report } from '../../src/events.ts';

let directory = '';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function filesBelow(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('makeCache()', () => {
  it('gives back what was put, and nothing for other keys', async () => {
    const cache = makeCache(join(directory, 'cache'));
    await cache.put('a/../b', Buffer.from('facts'));

    const found = [await cache.get('a/../b'), await cache.get('a')];

    expect(found).toEqual([Buffer.from('facts'), undefined]);
  });

  it.each([
    ['cut off', (file: string) => truncate(file, 67)],
    ['empty', (file: string) => truncate(file, 0)],
    [
      'changed',
      async (file: string) => {
        const bytes = await readFile(file);
        bytes[66] = 0;
        await writeFile(file, bytes);
      },
    ],
  ])('does not give an entry that was %s', async (_, damage) => {
    const cache = makeCache(directory);
    await cache.put('key', Buffer.from('facts'));
    const [file] = await filesBelow(directory);
    await damage(file!);

    const found = await cache.get('key');

    expect(found).toBeUndefined();
    expect(await filesBelow(directory)).toEqual([]);
  });

  it('goes on when it cannot write', async () => {
    await writeFile(join(directory, 'file'), '');
    const cache = makeCache(join(directory, 'file'));

    await cache.put('key', Buffer.from('facts'));

    expect(await cache.get('key')).toBeUndefined();
  });
});

describe('makeFiles()', () => {
  it('lists regular files in order, and follows links only inside the directory', async () => {
    await mkdir(join(directory, 'fw/sub'), { recursive: true });
    await writeFile(join(directory, 'fw/b.bin'), 'b');
    await writeFile(join(directory, 'fw/sub/a.bin'), 'a');
    await writeFile(join(directory, 'secret'), 's');
    await symlink('b.bin', join(directory, 'fw/current.bin'));
    await symlink('sub', join(directory, 'fw/alias'));
    await symlink('..', join(directory, 'fw/sub/up'));
    await symlink('../secret', join(directory, 'fw/escape'));
    await symlink('nowhere', join(directory, 'fw/broken'));

    const files = await makeFiles(directory).list('fw');

    expect(files.filter((file) => !file.includes('up/'))).toEqual([
      'alias/a.bin',
      'b.bin',
      'current.bin',
      'sub/a.bin',
    ]);
    expect(files.length).toBeLessThan(20);
  });

  it('reads relative to its directory, and throws the error of Node', async () => {
    await writeFile(join(directory, 'a'), 'text');
    const files = makeFiles(directory);

    await expect(files.read('a')).resolves.toEqual(Buffer.from('text'));
    await expect(files.read('nowhere')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('makeTemporary()', () => {
  it('removes the directory when the work ends, also by an error', async () => {
    const cleanups = new Set<() => void>();
    const withTemporaryDirectory = makeTemporary({ env: { TMPDIR: directory }, cleanups });

    const work = withTemporaryDirectory(async (temporary) => {
      await writeFile(join(temporary, 'a'), '');
      expect((await stat(temporary)).mode & 0o777).toBe(0o700);
      throw new Error('broken');
    });

    await expect(work).rejects.toThrow('broken');
    expect(await readdir(directory)).toEqual([]);
    expect(cleanups.size).toBe(0);
  });

  it('leaves a cleanup for a process that ends at once', async () => {
    const cleanups = new Set<() => void>();
    let left: readonly string[] = [''];

    await makeTemporary({ env: { TMPDIR: directory }, cleanups })(async () => {
      for (const cleanUp of cleanups) cleanUp();
      left = await readdir(directory);
    });

    expect(left).toEqual([]);
  });
});

describe('makeCache() with a limit', () => {
  it('lets what was not used for the longest time go', async () => {
    const cache = makeCache(directory, { maxBytes: 3 * 165 });
    for (const [at, key] of ['a', 'b', 'c'].entries()) {
      await cache.put(key, Buffer.alloc(100));
      const [file] = (await filesBelow(directory)).filter((path) => path.includes(hashOf(key).slice(2)));
      await utimes(file!, at, at);
    }
    await cache.get('a');

    await cache.put('d', Buffer.alloc(100));

    const left = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (key) => (await cache.get(key)) !== undefined),
    );
    expect(left).toEqual([true, false, true, true]);
  });

  it('keeps nothing that is larger than all it may have', async () => {
    const cache = makeCache(directory, { maxBytes: 100 });

    await cache.put('a', Buffer.alloc(100));

    expect(await cache.get('a')).toBe(undefined);
    expect(await filesBelow(directory)).toEqual([]);
  });
});

describe('makeOpenLog()', () => {
  const now = (): Date => new Date('2025-01-02T03:04:05.678Z');

  async function write(options: Partial<LogOptions>, name = 'a.log'): Promise<string | undefined> {
    const openLog = makeOpenLog({
      env: { XDG_STATE_HOME: directory },
      now,
      report: () => undefined,
      ...options,
    });
    const log = await openLog(name);
    for (const line of ['one', 'two']) log.add(line);
    await log.close();
    return log.path;
  }

  it('keeps a log that only its user can read', async () => {
    const file = (await write({}, 'ice for 5.14.0+rt/x.log'))!;

    expect(file.replace(/Z-[0-9a-f]{4}-/, 'Z-')).toBe(
      join(directory, 'kmodlayer/logs/20250102T030405Z-ice_for_5.14.0+rt_x.log'),
    );
    expect(await readFile(file, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('keeps the newest five hundred, and everything in a directory that the user named', async () => {
    const logs = join(directory, 'kmodlayer/logs');
    await mkdir(logs, { recursive: true });
    for (let count = 0; count < 502; count++)
      await writeFile(join(logs, `19700101T${String(count).padStart(6, '0')}Z-old.log`), '');
    const others = ['0-notes.txt', 'a.log'].map((name) => join(logs, name));
    for (const other of others) await writeFile(other, '');

    await write({});
    for (const other of others) await rm(other);
    const kept = (await readdir(logs)).sort();
    await write({ directory: logs });

    expect([kept.length, kept[0]]).toEqual([500, '19700101T000003Z-old.log']);
    expect(await readdir(logs)).toHaveLength(501);
  });

  it('writes to no directory that others have made in the temporary one', async () => {
    const place = join(directory, 'kmodlayer-logs');
    const env = { XDG_STATE_HOME: join(directory, 'file'), TMPDIR: directory };
    await writeFile(join(directory, 'file'), '');
    await mkdir(join(directory, 'theirs'), { mode: 0o700 });
    await symlink('theirs', place);
    expect(await write({ env })).toBe(undefined);

    await rm(place);
    await mkdir(place);
    await chmod(place, 0o777);
    expect(await write({ env })).toBe(undefined);

    await chmod(place, 0o700);
    expect(await write({ env })).toBeDefined();
  });

  it('takes the temporary directory when the home cannot be written, and goes without when nothing can', async () => {
    await writeFile(join(directory, 'file'), '');
    const warnings: string[] = [];
    const report: Report = (event) => {
      if (event.type === 'warning') warnings.push(event.message);
    };

    const file = await write({ env: { XDG_STATE_HOME: join(directory, 'file'), TMPDIR: directory } });
    const env = { XDG_STATE_HOME: join(directory, 'file'), TMPDIR: join(directory, 'file') };
    const none = await write({ env, report });

    expect(file?.startsWith(join(directory, 'kmodlayer-logs'))).toBe(true);
    expect(none).toBe(undefined);
    expect(warnings).toEqual([expect.stringMatching(/^the log a\.log is not kept: /)]);
  });
});

describe('Directories', () => {
  it('follow XDG, and ignore relative paths in it', () => {
    const env = { HOME: '/home/a', XDG_CACHE_HOME: 'relative', XDG_STATE_HOME: '/state' };

    expect([cacheDirectory(env), logDirectory(env)]).toEqual([
      '/home/a/.cache/kmodlayer',
      '/state/kmodlayer/logs',
    ]);
  });
});
