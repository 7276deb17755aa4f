import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { CompileError } from '../errors.ts';
import { makeStorageArguments, type BuildPaths, type StorageEngine } from './build-arguments.ts';
import type { Build, BuildAsset } from './engine.ts';
import { ignoreFileOf } from './ignore-file.ts';
import { runProcess, type ProcessResult } from './process.ts';
import type { Storage } from './storage-program.ts';

/** A directory in which a request builds, and which takes all that it made with it when it goes. */
export interface Scratch {
  readonly directory: string;
  /** Where the engine puts its temporary files. */
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
 * Makes a scratch directory beside the user's storage, so that it lies on a file system that the engine can work on.
 *
 * @throws Node's error when no directory can be made.
 */
export async function makeScratch(engine: StorageEngine, assets: readonly BuildAsset[]): Promise<Scratch> {
  const { storage } = engine;
  const base = await makeDirectory(dirname(storage.root));
  const at = (...names: readonly string[]): string => join(base, ...names);
  // podman refuses a runroot of more than 50 characters, which a home directory easily exceeds.
  const short = await mkdtemp(`/tmp/kmodlayer-podman-${process.pid}-`);
  const paths = { root: at('root'), runRoot: join(short, 'run'), libpod: join(short, 'libpod') };
  const globalArguments = makeStorageArguments(engine, paths);
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
    async remove() {
      const run = makeRunner(engine, globalArguments);
      await endContainers(at('temporary'), storage, run);
      await removeContainers(paths.root, engine, run);
      await endPauseProcess(paths.libpod);
      for (const path of [base, short]) await removeTree(path, storage, run);
    },
  };
}

/** How the cleaning up runs programs: also after an interrupt, so it listens to no signal of the request. */
interface Runner {
  /** The engine on the scratch storage. */
  readonly engine: (args: readonly string[]) => Promise<ProcessResult>;
  /** A program as the owner of what the engine made, which for a rootless one is a user namespace of its own. */
  readonly asOwner: (program: string, args: readonly string[]) => Promise<ProcessResult>;
}

function makeRunner(
  { options, storage: { isRootless } }: StorageEngine,
  globalArguments: readonly string[],
): Runner {
  const { signal } = new AbortController();
  const { program } = options;
  return {
    engine: (args) => runProcess({ program, args: [...globalArguments, ...args], signal }),
    asOwner: (owned, args) =>
      isRootless
        ? runProcess({ program, args: [...options.globalArguments, 'unshare', owned, ...args], signal })
        : runProcess({ program: owned, args, signal }),
  };
}

async function makeDirectory(beside: string): Promise<string> {
  try {
    return await mkdtemp(join(beside, `kmodlayer-${process.pid}-`));
  } catch {
    return await mkdtemp(join(tmpdir(), `kmodlayer-${process.pid}-`));
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

/** An interrupted podman leaves its container running, in no process group of ours, when a runtime such as crun made it. */
async function endContainers(temporary: string, { runtime }: Storage, run: Runner): Promise<void> {
  const bundles = (await readdir(temporary)).filter((name) => /^buildah[0-9]+$/.test(name));
  for (const bundle of bundles) await run.asOwner(runtime, ['delete', '--force', `buildah-${bundle}`]);
}

async function removeContainers(root: string, { program }: StorageEngine, run: Runner): Promise<void> {
  if (!(await isThere(root))) return;
  const listed = await run.engine(program.listCommand);
  const ids = listed.output.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id));
  if (ids.length > 0) await run.engine([...program.removeCommand, ...ids]);
}

/** A rootless podman keeps its user namespace alive with a process, one for each of its temporary directories. */
async function endPauseProcess(libpod: string): Promise<void> {
  const pid = Number(await readFile(join(libpod, 'pause.pid'), 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function removeTree(path: string, { isRootless }: Storage, run: Runner): Promise<void> {
  await unmountBelow(path);
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  } catch (error) {
    if (!isRootless) throw error;
    await run.asOwner('rm', ['-rf', '--', path]);
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Nothing may be mounted below a directory that is about to be removed, or its files would go too. */
async function unmountBelow(base: string): Promise<void> {
  for (const mount of (await mountsBelow(base)).reverse()) {
    await runProcess({ program: 'umount', args: ['--', mount], signal: new AbortController().signal });
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
