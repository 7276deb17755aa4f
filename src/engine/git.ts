import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CompileError } from '../errors.ts';
import { withoutCredentials } from '../without-credentials.ts';
import { runProcess, type ProcessResult } from './process.ts';
import type { GitSource } from './sources.ts';

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** A scheme that runs no program of the URL's choice; `ext::` and the like are not there. */
const URL_SCHEMES = /^(?:https|ssh|git|file):\/\/[^\s]+$/;
/** `user@host:path`, where neither part can be an option. */
const SCP_LIKE = /^[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s-][^\s]*$/;
/** What git allows in the name of a branch or tag, and less; never an option or a refspec. */
const REF = /^[A-Za-z0-9_][A-Za-z0-9_./+@#-]{0,254}$/;

/**
 * The commit that a branch, tag or commit stands for.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function resolveGit(source: GitSource, signal: AbortSignal): Promise<string> {
  checkSource(source);
  const { url, ref } = source;
  if (COMMIT.test(ref)) return ref;
  const names = ref.startsWith('refs/') ? [ref] : [`refs/tags/${ref}`, `refs/heads/${ref}`];
  // An annotated tag has a line of its own for the commit: "<name>^{}".
  const patterns = names.flatMap((name) => [name, `${name}^{}`]);
  const result = await git(['ls-remote', '--', url, ...patterns], source, signal);
  const found = new Map(
    result.output.split('\n').flatMap((line) => {
      const [commit = '', name = ''] = line.split('\t');
      return COMMIT.test(commit) ? [[name, commit] as const] : [];
    }),
  );
  const commits = names.flatMap((name) => found.get(`${name}^{}`) ?? found.get(name) ?? []);
  if (commits[0] === undefined) {
    throw unreadable(source, 'there is no such branch or tag', 'Write a branch, a tag or a full commit id.');
  }
  if (new Set(commits).size > 1) {
    throw unreadable(source, 'it is a branch and a tag', `Write refs/heads/${ref} or refs/tags/${ref}.`);
  }
  return commits[0];
}

/**
 * Writes the files of one commit, and nothing of git, to a directory.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function checkOutGit(
  source: GitSource,
  commit: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  checkSource(source);
  if (!COMMIT.test(commit)) throw unreadable(source, 'the commit is not a full commit id');
  await mkdir(directory, { recursive: true });
  const at = ['-C', directory];
  await git(
    [...at, 'init', '--quiet', `--object-format=${commit.length === 64 ? 'sha256' : 'sha1'}`],
    source,
    signal,
  );
  await git([...at, 'remote', 'add', 'origin', '--', source.url], source, signal);
  await fetchCommit(at, source, commit, signal);
  await git([...at, ...PLAIN, 'checkout', '--quiet', '--detach', commit, '--'], source, signal);
  await git(
    [...at, ...PLAIN, 'submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1'],
    source,
    signal,
  );
  // Submodules have a file of this name each.
  const left = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of left.filter(({ name }) => name === '.git')) {
    await rm(join(entry.parentPath, entry.name), { recursive: true, force: true });
  }
}

/** The same bytes on every machine, and no program that a repository or a user's settings name. */
const PLAIN = [
  '-c',
  'core.autocrlf=false',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.symlinks=true',
  '-c',
  'advice.detachedHead=false',
];

async function fetchCommit(
  at: readonly string[],
  source: GitSource,
  commit: string,
  signal: AbortSignal,
): Promise<void> {
  const fetch = [...at, 'fetch', '--quiet', '--no-tags', '--no-recurse-submodules'];
  const shallow = await runGit([...fetch, '--depth=1', 'origin', commit], source, signal);
  if (shallow.exitCode === 0) return;
  // Some servers only give commits that a branch or tag names: then all of the history is needed.
  const refspecs = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  await git([...fetch, 'origin', ...refspecs], source, signal);
}

async function git(args: readonly string[], source: GitSource, signal: AbortSignal): Promise<ProcessResult> {
  const result = await runGit(args, source, signal);
  if (result.exitCode === 0) return result;
  if (result.exitCode === 127) throw unreadable(source, 'there is no program git', 'Install git.');
  const said = result.tail.filter((line) => line.trim() !== '').slice(-3);
  throw unreadable(
    source,
    withoutCredentials(said.join('; ')) || 'git failed',
    'Try "git ls-remote" with this URL; credentials come from your own git settings.',
  );
}

/** Asks nobody for a password: nobody may be there. */
function runGit(args: readonly string[], source: GitSource, signal: AbortSignal): Promise<ProcessResult> {
  return runProcess({
    program: 'git',
    args,
    env: {
      GIT_TERMINAL_PROMPT: '0',
      // A repository from elsewhere may not name repositories of this machine as its submodules.
      GIT_ALLOW_PROTOCOL: source.url.startsWith('file:') ? 'https:ssh:git:file' : 'https:ssh:git',
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      LC_ALL: 'C',
    },
    signal,
  });
}

function checkSource(source: GitSource): void {
  if (!URL_SCHEMES.test(source.url) && !SCP_LIKE.test(source.url)) {
    throw unreadable(source, 'this kind of URL is not used', 'Write an https, ssh, git or file URL.');
  }
  if (/^(?:[a-z]+:\/\/[^/]*:|https?:\/\/)[^/]*@/i.test(source.url)) {
    throw unreadable(
      source,
      'its URL holds a user or a password',
      'Let a git credential helper or an ssh key answer instead.',
    );
  }
  if (!REF.test(source.ref) || source.ref.includes('..') || source.ref.endsWith('/')) {
    throw unreadable(source, 'this is not the name of a branch, tag or commit', 'Write for instance v1.2.3.');
  }
}

function unreadable({ url, ref }: GitSource, state: string, hint?: string): CompileError {
  const what = `${JSON.stringify(ref)} of ${withoutCredentials(url)}`;
  return new CompileError('SOURCE_UNREADABLE', `Cannot read ${what}: ${state}`, { hint });
}
