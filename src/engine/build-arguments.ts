import { CompileError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import { goArchOf } from '../oci/arch.ts';
import type { Build, EngineOptions } from './engine.ts';
import type { Storage, StorageProgram } from './storage-program.ts';

/** A program that builds, how it is set up, and where it keeps images. */
export interface StorageEngine {
  readonly options: EngineOptions;
  readonly program: StorageProgram;
  readonly storage: Storage;
}

/** Paths of one build, all below a directory of its own. */
export interface BuildPaths {
  readonly root: string;
  readonly runRoot: string;
  /** Where podman keeps what it knows of running containers. */
  readonly libpod: string;
  readonly assets: string;
  readonly containerfile: string;
  readonly ignoreFile: string;
  readonly context: string;
  /** Files of secrets, in the order of `Build.secrets`; paths of ours, so that none holds a comma. */
  readonly secrets: readonly string[];
}

/**
 * Global arguments that put what a build makes into a storage of its own, which reads the user's images in place.
 * Throwing that storage away is what leaves nothing behind, whenever and however the build ended.
 */
export function makeStorageArguments(
  { options, program, storage }: StorageEngine,
  paths: Pick<BuildPaths, 'root' | 'runRoot' | 'libpod'>,
): readonly string[] {
  return [
    ...options.globalArguments,
    ...['--root', paths.root, '--runroot', paths.runRoot, ...program.scratchArguments(paths.libpod)],
    ...['--storage-driver', storage.driver],
    ...storage.options.flatMap((option) => ['--storage-opt', option]),
    ...['--storage-opt', `${storage.driver}.imagestore=${storage.root}`],
  ];
}

/** Arguments after `build` for one build, but for what becomes of the result. */
export function makeBuildArguments(
  options: EngineOptions,
  build: Build,
  arch: Arch,
  paths: BuildPaths,
): readonly string[] {
  return [
    ...options.buildArguments,
    ...registryArguments(options),
    // One layer for each step of ours would only take time; a stage that starts from another needs them.
    `--layers=${build.isForeign === true}`,
    ...['--no-cache', '--pull=false', `--platform=linux/${goArchOf(arch)}`],
    `--build-context=kmodlayer=${paths.assets}`,
    `--ignorefile=${paths.ignoreFile}`,
    `--file=${paths.containerfile}`,
    ...Object.entries(build.args).map(([name, value]) => `--build-arg=${checkName(name)}=${value}`),
    ...build.secrets.map(
      ({ id }, index) => `--secret=id=${checkSecretId(id)},src=${paths.secrets[index] ?? ''}`,
    ),
    ...(build.stage === undefined ? [] : [`--target=${build.stage}`]),
    paths.context,
  ];
}

/** Arguments of a pull, without the global ones. It prints the id of the image. */
export function makePullArguments(options: EngineOptions, image: string, arch: Arch): readonly string[] {
  const platform = `--platform=linux/${goArchOf(arch)}`;
  return ['pull', '--quiet', ...registryArguments(options), platform, '--', image];
}

/** Variables that the engine reads, on top of those of this process. */
export function environmentOf(options: EngineOptions): Readonly<Record<string, string>> {
  return options.registriesFile === undefined ? {} : { CONTAINERS_REGISTRIES_CONF: options.registriesFile };
}

function registryArguments(options: EngineOptions): readonly string[] {
  return [
    ...(options.authFile === undefined ? [] : [`--authfile=${options.authFile}`]),
    ...(options.certificateDirectory === undefined ? [] : [`--cert-dir=${options.certificateDirectory}`]),
    ...(options.isInsecure === true ? ['--tls-verify=false'] : []),
  ];
}

function checkName(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name;
  throw new CompileError('ENGINE_FAILED', `Cannot pass build argument ${JSON.stringify(name)}: not a name`);
}

function checkSecretId(id: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(id)) return id;
  throw new CompileError('ENGINE_FAILED', `Cannot pass secret ${JSON.stringify(id)}: not a name`);
}
