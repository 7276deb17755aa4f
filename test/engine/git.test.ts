import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkOutGit, resolveGit } from '../../src/engine/git.ts';

const { signal } = new AbortController();
const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-git-'));
const repository = join(directory, 'repository');
const url = `file://${repository}`;

function git(...args: readonly string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', ['-C', repository, ...identity, ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

function commit(text: string): string {
  writeFileSync(join(repository, 'driver.c'), text);
  git('add', '.');
  git('commit', '--quiet', '-m', text);
  return git('rev-parse', 'HEAD');
}

/** Settings as a user's own configuration file would make them. */
async function withGitSetting<T>(name: string, value: string, use: () => Promise<T>): Promise<T> {
  const env = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: name, GIT_CONFIG_VALUE_0: value };
  Object.assign(process.env, env);
  try {
    return await use();
  } finally {
    for (const key of Object.keys(env)) Reflect.deleteProperty(process.env, key);
  }
}

let first: string;
let second: string;

beforeAll(() => {
  mkdirSync(repository);
  git('init', '--quiet');
  first = commit('one');
  git('tag', '-a', 'v1', '-m', 'v1');
  git('tag', 'both', first);
  second = commit('two');
  git('branch', 'both');
  git('branch', 'feature/x');
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('resolveGit()', () => {
  it('finds the commit of a branch', async () => {
    expect(await resolveGit({ url, ref: 'feature/x' }, signal)).toBe(second);
  });

  it('finds the commit of an annotated tag, not the tag object', async () => {
    expect(await resolveGit({ url, ref: 'v1' }, signal)).toBe(first);
  });

  it('takes a commit as it is', async () => {
    expect(await resolveGit({ url, ref: first }, signal)).toBe(first);
  });

  it('refuses a name that is a branch here and a tag there', async () => {
    await expect(resolveGit({ url, ref: 'both' }, signal)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      hint: 'Write refs/heads/both or refs/tags/both.',
    });
  });

  it('takes such a name in full', async () => {
    expect(await resolveGit({ url, ref: 'refs/tags/both' }, signal)).toBe(first);
  });

  it('reports a branch that is not there', async () => {
    await expect(resolveGit({ url, ref: 'nope' }, signal)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
    });
  });

  it('reports a repository that is not there', async () => {
    const source = { url: `file://${directory}/nowhere`, ref: 'main' };

    await expect(resolveGit(source, signal)).rejects.toThrow('nowhere');
  });

  it.each([
    '--upload-pack=touch /tmp/x',
    '-x',
    'a b',
    'a..b',
    'main:refs/heads/x',
    '',
    'a\nb',
    '+main',
    'x/',
    '*',
  ])('refuses ref %j before git sees it', async (ref) => {
    await expect(resolveGit({ url, ref }, signal)).rejects.toThrow('not the name of a branch');
  });

  it.each([
    'ext::sh -c touch% /tmp/x',
    '--upload-pack=x',
    '/srv/repository',
    'http://example.com/a.git',
    'a@-oProxyCommand=x:y',
    '-a@b:c',
    'https://example.com/a b',
  ])('refuses URL %j before git sees it', async (hostile) => {
    await expect(resolveGit({ url: hostile, ref: 'main' }, signal)).rejects.toThrow('this kind of URL');
  });

  it('refuses a password in the URL, and does not repeat it', async () => {
    const resolving = resolveGit({ url: 'https://me:hunter2@example.com/a.git', ref: 'main' }, signal);

    await expect(resolving).rejects.toThrow(/^(?!.*hunter2).*holds a user or a password$/);
  });
});

describe('checkOutGit()', () => {
  it('writes the files of a commit and nothing of git', async () => {
    const out = join(directory, 'out');

    await checkOutGit({ url, ref: 'v1' }, first, out, signal);

    expect(readdirSync(out)).toEqual(['driver.c']);
    expect(readFileSync(join(out, 'driver.c'), 'utf8')).toBe('one');
  });

  it('fetches all history from a server that gives no single commits', async () => {
    const out = join(directory, 'out-of-history');
    const middle = commit('three');
    commit('four');

    // Only the first version of the protocol has such servers.
    await withGitSetting('protocol.version', '0', () =>
      checkOutGit({ url, ref: 'main' }, middle, out, signal),
    );

    expect(readFileSync(join(out, 'driver.c'), 'utf8')).toBe('three');
  });

  it('reports a commit that the repository does not have', async () => {
    const checkingOut = checkOutGit({ url, ref: 'main' }, 'a'.repeat(40), join(directory, 'missing'), signal);

    await expect(checkingOut).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });

  it('runs no hook', async () => {
    const hooks = join(directory, 'hooks');
    mkdirSync(hooks);
    writeFileSync(join(hooks, 'post-checkout'), `#!/bin/sh\ntouch ${directory}/hooked\n`, { mode: 0o755 });

    await withGitSetting('core.hooksPath', hooks, () =>
      checkOutGit({ url, ref: 'v1' }, first, join(directory, 'hooked-out'), signal),
    );

    expect(existsSync(join(directory, 'hooked'))).toBe(false);
  });
});
