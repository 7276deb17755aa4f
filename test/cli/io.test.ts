import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCache } from '../../cli/io/cache.ts';
import { cacheDirectory, logDirectory } from '../../cli/io/directories.ts';
import { makeFiles } from '../../cli/io/files.ts';
import { makeKeepLog } from '../../cli/io/logs.ts';
import { makeTemporary } from '../../cli/io/temporary.ts';

let directory = '';

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

describe('makeKeepLog()', () => {
  const now = (): Date => new Date('2025-01-02T03:04:05.678Z');

  it('keeps a log that only its user can read', async () => {
    const keepLog = makeKeepLog({ env: { XDG_STATE_HOME: directory }, now });

    const file = await keepLog('ice for 5.14.0+rt/x.log', ['one', 'two']);

    expect(file).toBe(join(directory, 'kmodlayer/logs/20250102T030405Z-ice_for_5.14.0+rt_x.log'));
    expect(await readFile(file, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('keeps the newest hundred', async () => {
    let at = 0;
    const keepLog = makeKeepLog({ env: { XDG_STATE_HOME: directory }, now: () => new Date(at++ * 1000) });

    for (let count = 0; count < 103; count++) await keepLog('a.log', []);

    const logs = (await filesBelow(directory)).map((file) => file.slice(-22)).sort();
    expect(logs).toHaveLength(100);
    expect(logs[0]).toBe('19700101T000003Z-a.log');
  });

  it('takes the temporary directory when the home cannot be written', async () => {
    await writeFile(join(directory, 'file'), '');
    const env = { XDG_STATE_HOME: join(directory, 'file'), TMPDIR: directory };

    const file = await makeKeepLog({ env, now })('a.log', ['text']);

    expect(file.startsWith(join(directory, 'kmodlayer-logs'))).toBe(true);
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
