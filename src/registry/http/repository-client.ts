import type { RegistryError } from '../../errors.ts';
import { ConnectionError, unreachable } from './connection-error.ts';
import type { HttpRequest, HttpResponse, Send } from './message.ts';
import { type Attempt, toRegistryError } from './problem.ts';
import type { RetryPolicy } from './retry.ts';

/** Everything that the calls on one repository share. */
export interface RepositoryClient {
  /** As users name the registry, for instance `quay.io`. */
  readonly host: string;
  /** Path of the repository on that registry. */
  readonly repository: string;
  /** Host and path, for messages. */
  readonly where: string;
  /** Logs in, follows redirects, tries again. */
  readonly send: Send;
  /** Logs in and follows redirects; for what must be tried again as a whole. */
  readonly sendOnce: Send;
  readonly retry: RetryPolicy;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly findCredential: Attempt['findCredential'];
  /** URL below the repository, for instance for `manifests/v1`. */
  url(path: string): Promise<URL>;
}

/** Runs requests; connections that failed for good become errors that say what was tried. */
export async function attempting<T>(
  client: RepositoryClient,
  doing: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ConnectionError) throw unreachable(error, doing, client.host);
    throw error;
  }
}

/** The error that an answer means. */
export function failureOf(
  client: RepositoryClient,
  response: HttpResponse,
  doing: string,
): Promise<RegistryError> {
  return toRegistryError(response, attemptOf(client, doing));
}

/** What is known about a request, for the error that it may end in. */
export function attemptOf(client: RepositoryClient, doing: string): Attempt {
  const { host, repository, findCredential } = client;
  return { doing, host, repository, findCredential };
}

/** A request below the repository, with its scopes and its signal. */
export async function requestFor(
  client: RepositoryClient,
  method: HttpRequest['method'],
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpRequest> {
  return { method, url: await client.url(path), headers, scopes: client.scopes, signal: client.signal };
}
