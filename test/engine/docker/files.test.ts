import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packContext } from '../../../src/engine/docker/context.ts';
import { unpackRegularFiles } from '../../../src/engine/docker/output.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('packContext()', () => {
  it('leaves out what an ignore file names and .git, and takes back what comes after "!"', async () => {
    mkdirSync(join(directory, 'docs/.git'), { recursive: true });
    for (const path of ['a.c', 'a.txt', 'docs/a', 'docs/keep', 'docs/.git/config']) {
      writeFileSync(join(directory, path), path, { mode: 0o755 });
    }
    symlinkSync('../etc/passwd', join(directory, 'link'));

    const files = [{ path: 'F', bytes: Buffer.from('FROM x') }];
    const ignore = 'docs/*\n!docs/keep\n*.txt\n';
    const signal = new AbortController().signal;
    const entries = await list(packContext({ directory, ignore, files, signal }));

    expect(entries).toEqual([
      'file F 644',
      'file a.c 755',
      'directory docs 755',
      'file docs/keep 755',
      'symlink link 777',
    ]);
  });
});

describe('unpackRegularFiles()', () => {
  it('writes regular files below the directory alone', async () => {
    const pack = tar.pack();
    for (const name of ['output/a', 'output/sub/../../../b', '/output/./c', 'other/d', 'output']) {
      pack.entry({ name }, 'x');
    }
    pack.entry({ name: 'output/link', type: 'symlink', linkname: '/etc/passwd' });
    pack.entry({ name: 'output/hard', type: 'link', linkname: 'output/a' });
    pack.finalize();

    await unpackRegularFiles(pack as unknown as Readable, join(directory, 'out'));

    expect(readdirSync(directory, { recursive: true }).sort()).toEqual(['out', 'out/a', 'out/c']);
  });

  it('ends with an error when the archive breaks off', async () => {
    const archive = Readable.from([Buffer.alloc(512, 7)]);

    await expect(unpackRegularFiles(archive, directory)).rejects.toThrow();
  });
});

async function list(archive: Readable): Promise<readonly string[]> {
  const entries: string[] = [];
  const extract = archive.pipe(tar.extract());
  for await (const entry of extract) {
    const { type, name, mode } = entry.header;
    entries.push(`${type} ${name} ${(mode & 0o777).toString(8)}`);
    entry.resume();
  }
  return entries;
}
