import type { Arch } from '../oci/arch.ts';
import type { Reference } from '../oci/reference.ts';
import type { Credentials } from '../registry/credentials.ts';
import type { Images } from '../registry/repository.ts';

/** A secret that is mounted while a build runs. Only its file name is ever handed on, never its content. */
export interface BuildSecret {
  /** Name by which a `RUN --mount=type=secret,id=...` asks for it. */
  readonly id: string;
  /** File on this machine. */
  readonly file: string;
}

/** One Containerfile that is built. */
export interface Build {
  /** Text of the Containerfile. */
  readonly containerfile: string;
  /** Directory that is the build context; an empty one when absent. It is not changed; `.git` in it is not seen. */
  readonly context?: string;
  /**
   * Written by a user, who expects the engine to work as they know it: `.containerignore` or `.dockerignore` of the
   * context is honoured, and a stage may start from another.
   */
  readonly isForeign?: boolean;
  /** The stage to build; the last one when absent. */
  readonly stage?: string;
  /** Build arguments. Never secret: secrets go by file. */
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: readonly BuildSecret[];
}

/** A small file that every build of a request can copy with `COPY --from=kmodlayer <path> ...`. */
export interface BuildAsset {
  /** Relative path with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Containerfiles that are built one after the other, of which the last one leaves files. */
export interface BuildRequest {
  /**
   * Built in this order. All but the last are kept, until the request is done, as images that later ones read by the
   * name `localhost/kmodlayer/build-<position>`, counted from 0.
   */
  readonly builds: readonly [Build, ...Build[]];
  readonly assets: readonly BuildAsset[];
  readonly arch: Arch;
  /** Directory on this machine that receives every regular file of the last build's file system; made when missing. */
  readonly outputDirectory: string;
  /** Called with each line that a build prints; secrets are blotted out. Must not throw. */
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** An image that is fetched before anything is built on it. */
export interface PullRequest {
  /** By digest, in a registry or in a layout. */
  readonly image: Reference;
  readonly arch: Arch;
  readonly signal: AbortSignal;
}

/** A container engine that can build. */
export interface Engine {
  /** `podman`, `buildah` or `docker`; `podman API` where podman answers on a socket. */
  readonly name: string;
  /** Version, as the engine prints it. */
  readonly version: string;

  /**
   * Fetches an image, unless the engine has it, and returns the id that a `FROM` can name. The image stays in the
   * engine's storage, so that the next driver for the same release does not fetch it again.
   *
   * @throws {RegistryError} `UNAUTHORIZED`, `FORBIDDEN`, `NOT_FOUND`, `UNREACHABLE`.
   * @throws {CompileError} `ENGINE_FAILED`.
   */
  pull(request: PullRequest): Promise<string>;

  /**
   * Builds, copies files out, and removes what it made: containers, images and temporary files, also after a failure
   * or an interrupt.
   *
   * @throws {CompileError} `COMPILE_FAILED` when a build ran and failed, `ENGINE_FAILED` when it could not run. The
   *   last lines of its output are in `logTail`.
   * @throws {RegistryError} as `pull`, when an image that a Containerfile names cannot be fetched.
   */
  build(request: BuildRequest): Promise<void>;
}

/** How an engine is set up; hosts with odd cgroups need extra arguments. */
export interface EngineOptions {
  /** Program, for instance `podman` or a path; or the address of a Docker API, for instance `unix:///run/docker.sock`. */
  readonly program: string;
  /** Arguments before the subcommand, for instance `--root DIR`; an API has none. */
  readonly globalArguments: readonly string[];
  /** Arguments of `build`, for instance `--isolation chroot --network host`. An API takes some of them. */
  readonly buildArguments: readonly string[];
  /** Credentials file that the engine pulls with. */
  readonly authFile?: string;
  /** Directory with certificates of registries, as `podman pull --cert-dir` takes it. */
  readonly certificateDirectory?: string;
  /** Registries that are spoken to without TLS, or whose certificate is not checked. Off unless asked for. */
  readonly isInsecure?: boolean;
  /** A registries.conf with mirrors to use instead of the host's. */
  readonly registriesFile?: string;
  /** Finds credentials for an API, which reads no files of this machine. */
  readonly credentials?: Credentials;
  /** Reads images for an API that cannot fetch them itself: from layouts, mirrors, with certificates of the user's. */
  readonly images?: Images;
  /** Environment of the command: `DOCKER_HOST`, `DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}
