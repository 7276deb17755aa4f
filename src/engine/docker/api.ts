import type { Duplex, Readable } from 'node:stream';
import { field } from '../storage-program.ts';
import type { EngineOptions } from '../engine.ts';
import type { ApiBuildOptions } from './build-options.ts';

/** Options of a request, by the names that the API has for them; `abortSignal` ends it. */
export type ApiOptions = Readonly<Record<string, unknown>>;

type Answer = AsyncIterable<Uint8Array>;

/** What is used of dockerode, whose types know fewer options than it passes on. */
export interface Docker {
  readonly modem: { dial(request: ApiOptions, done: (error: Error | null, socket: Duplex) => void): void };
  version(): Promise<unknown>;
  createImage(credentials: ApiOptions, options: ApiOptions): Promise<Answer>;
  loadImage(archive: Readable, options: ApiOptions): Promise<Answer>;
  buildImage(context: Readable, options: ApiOptions): Promise<Answer>;
  listImages(
    options: ApiOptions,
  ): Promise<readonly { readonly Id: string; readonly RepoTags: readonly string[] | null }[]>;
  getImage(name: string): {
    inspect(options: ApiOptions): Promise<unknown>;
    remove(options: ApiOptions): Promise<unknown>;
  };
  createContainer(options: ApiOptions): Promise<{
    getArchive(options: ApiOptions): Promise<Readable>;
    remove(options: ApiOptions): Promise<unknown>;
  }>;
  pruneBuilder(options: ApiOptions): Promise<unknown>;
  df(): Promise<unknown>;
}

/** A Docker API that was found to work. */
export interface Api {
  readonly docker: Docker;
  /** For messages: `docker` or `podman API`. */
  readonly name: string;
  /** podman builds by itself and takes secrets with the context; Docker builds with BuildKit, which asks for them. */
  readonly isPodman: boolean;
  readonly options: EngineOptions;
  readonly buildOptions: ApiBuildOptions;
}

/** The HTTP status of an answer that was an error. */
export function statusOf(error: unknown): number | undefined {
  const status = field(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
}
