import { CompileError } from '../errors.ts';

/** Where a program keeps images, as its `info` tells it. */
export interface Storage {
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

/** What differs between the programs that work on the storage of containers-storage.conf(5). */
export interface StorageProgram {
  readonly name: 'podman' | 'buildah';
  /** Oldest version with `--build-context` and `--output`: major and minor. */
  readonly oldest: readonly [major: number, minor: number];
  readonly package: string;
  /** Prints the version and where images are, as JSON; several commands are run in turn. */
  readonly infoCommands: readonly (readonly string[])[];
  /**
   * @param texts What the `infoCommands` printed.
   * @throws {CompileError} `ENGINE_FAILED` when it is something else.
   */
  readonly parseInfo: (texts: readonly string[]) => { readonly version: string; readonly storage: Storage };
  /** Prints `<id> <digest>` of an image. */
  readonly inspectCommand: (image: string) => readonly string[];
  /** Global arguments of a storage of our own, besides root and run root. */
  readonly scratchArguments: (directory: string) => readonly string[];
  /** Prints ids of all containers, a line each. */
  readonly listCommand: readonly string[];
  readonly removeCommand: readonly string[];
}

/** A member of a JSON object, or undefined. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

/** @throws {CompileError} `ENGINE_FAILED`. */
export function parseEngineJson(command: string, text = ''): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CompileError('ENGINE_FAILED', `Cannot read what "${command}" prints: not JSON`, {
      cause: error,
    });
  }
}
