import { CompileError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import { goArchOf } from '../oci/arch.ts';
import type { Build, EngineOptions } from './engine.ts';

/** What `podman info` tells of where images live. */
export interface PodmanStorage {
  /** Storage driver, for instance `overlay`. */
  readonly driver: string;
  /** Directory of the user's images. */
  readonly root: string;
  /** Options of the driver as `--storage-opt` takes them. */
  readonly options: readonly string[];
  readonly isRootless: boolean;
  /** Program that runs containers, for instance `/usr/bin/crun`. */
  readonly runtime: string;
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
  options: EngineOptions,
  storage: PodmanStorage,
  paths: Pick<BuildPaths, 'root' | 'runRoot' | 'libpod'>,
): readonly string[] {
  return [
    ...options.globalArguments,
    ...['--root', paths.root, '--runroot', paths.runRoot, '--tmpdir', paths.libpod],
    ...['--storage-driver', storage.driver],
    ...storage.options.flatMap((option) => ['--storage-opt', option]),
    ...['--storage-opt', `${storage.driver}.imagestore=${storage.root}`],
  ];
}

/** Arguments after `podman build` for one build, but for what becomes of the result. */
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

/** Arguments of `podman pull`, without the global ones. It prints the id of the image. */
export function makePullArguments(options: EngineOptions, image: string, arch: Arch): readonly string[] {
  const platform = `--platform=linux/${goArchOf(arch)}`;
  return ['pull', '--quiet', ...registryArguments(options), platform, '--', image];
}

/** Variables that podman reads, on top of those of this process. */
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

/**
 * Reads what `podman info --format json` prints.
 *
 * @throws {CompileError} `ENGINE_FAILED` when it is something else, or of a podman on another machine.
 */
export function parsePodmanInfo(text: string): { readonly version: string; readonly storage: PodmanStorage } {
  const info = parseJson(text);
  const store = field(info, 'store');
  const root = field(store, 'graphRoot');
  const driver = field(store, 'graphDriverName');
  const version = field(field(info, 'version'), 'Version');
  if (typeof root !== 'string' || typeof driver !== 'string' || typeof version !== 'string') {
    throw new CompileError(
      'ENGINE_FAILED',
      'Cannot read what "podman info" prints: no storage and version in it',
    );
  }
  if (field(field(info, 'host'), 'serviceIsRemote') === true) {
    throw new CompileError('ENGINE_FAILED', 'Cannot use podman: it works on another machine', {
      hint: 'Run this where podman itself runs, for instance inside the podman machine.',
    });
  }
  const isRootless = field(field(field(info, 'host'), 'security'), 'rootless') === true;
  const program = field(field(field(info, 'host'), 'ociRuntime'), 'path');
  const runtime = typeof program === 'string' ? program : 'crun';
  return {
    version,
    storage: { driver, root, options: storageOptions(field(store, 'graphOptions')), isRootless, runtime },
  };
}

function storageOptions(options: unknown): readonly string[] {
  if (typeof options !== 'object' || options === null) return [];
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'string') return [`${name}=${value}`];
    const program = field(value, 'Executable');
    return typeof program === 'string' ? [`${name}=${program}`] : [];
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CompileError('ENGINE_FAILED', 'Cannot read what "podman info" prints: not JSON', {
      cause: error,
    });
  }
}
