import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { CompileError } from '../errors.ts';
import type { Build, BuildAsset, EngineOptions } from './engine.ts';
import type { BuildPaths, PodmanStorage } from './podman-arguments.ts';
import { makeStorageArguments } from './podman-arguments.ts';
import { runProcess } from './process.ts';

/** A directory in which a request builds, and which takes all that it made with it when it goes. */
export interface Scratch {
  readonly directory: string;
  /** Where podman puts its temporary files. */
  readonly temporary: string;
  /** Where the last build leaves its files: `output` in `directory`. */
  readonly output: string;
  readonly globalArguments: readonly string[];
  /** Writes what one build needs besides its context. */
  prepare(build: Build, position: number): Promise<BuildPaths>;
  /** Removes containers, mounts and files. */
  remove(): Promise<void>;
}

/**
 * Makes a scratch directory beside the user's storage, so that it lies on a file system that podman can work on.
 *
 * @throws Node's error when no directory can be made.
 */
export async function makeScratch(
  options: EngineOptions,
  storage: PodmanStorage,
  assets: readonly BuildAsset[],
): Promise<Scratch> {
  const base = await makeDirectory(dirname(storage.root));
  const at = (...names: readonly string[]): string => join(base, ...names);
  const paths = { root: at('root'), runRoot: at('run'), libpod: at('libpod') };
  const globalArguments = makeStorageArguments(options, storage, paths);
  for (const name of ['assets', 'empty', 'temporary', 'output']) await mkdir(at(name), { mode: 0o700 });
  for (const asset of assets) await writeAsset(at('assets'), asset);
  return {
    directory: base,
    temporary: at('temporary'),
    output: at('output'),
    globalArguments,
    async prepare(build, position) {
      const directory = at(`build-${position}`);
      await mkdir(directory, { mode: 0o700 });
      await writeFile(join(directory, 'Containerfile'), build.containerfile);
      await writeFile(join(directory, 'ignore'), await ignoreFileOf(build));
      const secrets = build.secrets.map((_, index) => join(directory, `secret-${index}`));
      for (const [index, secret] of build.secrets.entries()) {
        await symlink(resolve(secret.file), secrets[index] ?? '');
      }
      return {
        ...paths,
        assets: at('assets'),
        containerfile: join(directory, 'Containerfile'),
        ignoreFile: join(directory, 'ignore'),
        context: build.context === undefined ? at('empty') : resolve(build.context),
        secrets,
      };
    },
    remove: () => removeScratch(base, options, globalArguments, storage.isRootless),
  };
}

async function makeDirectory(beside: string): Promise<string> {
  try {
    return await mkdtemp(join(beside, 'kmodlayer-'));
  } catch {
    return await mkdtemp(join(tmpdir(), 'kmodlayer-podman-'));
  }
}

async function writeAsset(directory: string, asset: BuildAsset): Promise<void> {
  const path = resolve(directory, asset.path);
  if (!path.startsWith(directory + sep)) {
    throw new CompileError(
      'ENGINE_FAILED',
      `Cannot give a build ${JSON.stringify(asset.path)}: not a relative path`,
    );
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, asset.text, { mode: 0o644 });
}

/** `.git` is never seen by a build, because no digest of a source tells of it. */
async function ignoreFileOf(build: Build): Promise<string> {
  const own = '.git\n**/.git\n';
  if (build.isForeign !== true || build.context === undefined) return own;
  for (const name of ['.containerignore', '.dockerignore']) {
    const text = await readFile(join(build.context, name), 'utf8').catch(() => undefined);
    if (text !== undefined) return `${text}\n${own}`;
  }
  return own;
}

/** Runs also after an interrupt, so it listens to no signal of the request. */
async function removeScratch(
  base: string,
  options: EngineOptions,
  globalArguments: readonly string[],
  isRootless: boolean,
): Promise<void> {
  const { signal } = new AbortController();
  const podman = (args: readonly string[]): ReturnType<typeof runProcess> =>
    runProcess({ program: options.program, args: [...globalArguments, ...args], signal });
  if (await isThere(join(base, 'root'))) {
    const listed = await podman(['ps', '--all', '--quiet', '--external', '--no-trunc']);
    const ids = listed.output.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id));
    if (ids.length > 0) await podman(['rm', '--force', '--', ...ids]);
  }
  await unmountBelow(base, signal);
  try {
    await rm(base, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  } catch (error) {
    // Files of a rootless build belong to ids that only podman's own user namespace may remove.
    if (!isRootless) throw error;
    await runProcess({ program: options.program, args: ['unshare', 'rm', '-rf', '--', base], signal });
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Nothing may be mounted below a directory that is about to be removed, or its files would go too. */
async function unmountBelow(base: string, signal: AbortSignal): Promise<void> {
  for (const mount of (await mountsBelow(base)).reverse()) {
    await runProcess({ program: 'umount', args: ['--', mount], signal });
  }
  const left = await mountsBelow(base);
  if (left.length > 0) {
    throw new CompileError(
      'ENGINE_FAILED',
      `Cannot remove ${base}: ${left.length} mounts below it are in use`,
      {
        hint: `Unmount them and remove the directory: umount ${left.join(' ')}.`,
      },
    );
  }
}

async function mountsBelow(base: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\040/g, ' '))
    .filter((path) => path.startsWith(base + sep));
}
