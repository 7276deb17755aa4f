import type { Report } from '../events.ts';

/** A command that runs in an image, with a source tree and an output directory, and leaves files. */
export interface CompileRequest {
  /** Image by digest in which to run: a driver-toolkit, as `podman` names it. */
  readonly image: string;
  /** Directory that is the build context. It is not changed. */
  readonly context: string;
  /** Text of the Containerfile. */
  readonly containerfile: string;
  /** The stage whose file system holds the results; the last one when absent. */
  readonly stage?: string;
  /** Build arguments. Never secret: secrets go by file. */
  readonly args: Readonly<Record<string, string>>;
  /** Secrets that are mounted while the build runs: id and file. */
  readonly secrets: readonly { readonly id: string; readonly file: string }[];
  /** Directory on this machine that receives `outputPath` of the result. */
  readonly outputDirectory: string;
  /** Path in the built file system to copy out, for instance `/kmodlayer/out`. */
  readonly outputPath: string;
  /** Called with each line that the build prints. */
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A container engine that can build. */
export interface Engine {
  /** `podman`, and later `buildah` or `docker`. */
  readonly name: string;
  /** Version, as the engine prints it. */
  readonly version: string;
  /**
   * Builds, copies files out, and removes what it made in the engine's storage, also on failure.
   *
   * @throws {CompileError} `COMPILE_FAILED` when the build ran and failed, `ENGINE_FAILED` when it could not run.
   */
  compile(request: CompileRequest): Promise<void>;
}

/** How an engine is set up; hosts with odd cgroups need extra arguments. */
export interface EngineOptions {
  /** Program, for instance `podman` or a path. */
  readonly program: string;
  /** Arguments before the subcommand, for instance `--root DIR`. */
  readonly globalArguments: readonly string[];
  /** Arguments of `build`, for instance `--isolation chroot --network host`. */
  readonly buildArguments: readonly string[];
  /** Credentials file that the engine pulls with. */
  readonly authFile?: string;
  readonly report: Report;
}
