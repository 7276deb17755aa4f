import { RegistryError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { ConnectionError } from './connection-error.ts';
import { discard, type HttpRequest, type HttpResponse, type RequestBody, resolveUrl } from './message.ts';
import { attempting, failureOf, type RepositoryClient, requestFor } from './repository-client.ts';
import { isTransientStatus, retrying } from './retry.ts';

/** What a blob is made of; called again for each attempt. */
export type Content = () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Upload sessions that a registry opened instead of mounting a blob; the next upload of it may go there. */
export type Sessions = Map<Digest, URL>;

export interface UploadOptions {
  readonly sessions: Sessions;
  /** Blobs over this size are sent in chunks of it; undefined: in one piece, unless the registry wants chunks. */
  readonly chunkBytes: number | undefined;
}

/** Size of a chunk when only the registry wants them. One chunk is held in memory. */
const CHUNK_BYTES = 16 * 1024 ** 2;
const MAX_CHUNK_BYTES = 128 * 1024 ** 2;

/**
 * Links a blob of another repository of this registry into this one.
 *
 * @returns False when the registry would not; it may have opened an upload session instead, which is then kept.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository
 */
export async function mountBlob(
  client: RepositoryClient,
  blob: Descriptor,
  { from, sessions }: { readonly from: string; readonly sessions: Sessions },
): Promise<boolean> {
  const doing = `mount blob ${blob.digest} of ${client.host}/${from} into ${client.where}`;
  return attempting(client, doing, async () => {
    const request = await requestFor(client, 'POST', 'blobs/uploads/');
    request.url.searchParams.set('mount', blob.digest);
    request.url.searchParams.set('from', from);
    const scopes = [...client.scopes, `repository:${from}:pull`];
    let response: HttpResponse;
    try {
      response = await client.send({ ...request, scopes });
    } catch (error) {
      // No token for both repositories: the blob can still be sent.
      if (error instanceof RegistryError && error.code === 'UNAUTHORIZED') return false;
      throw error;
    }
    discard(response);
    if (response.status === 202) {
      const session = sessionUrl(response);
      if (session !== undefined) sessions.set(blob.digest, session);
    }
    return response.status === 201;
  });
}

/**
 * Sends a blob: in one piece, or in chunks where it is large or the registry wants them. An upload that breaks is
 * begun again, as registries disagree on how to resume one.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
 */
export async function uploadBlob(
  client: RepositoryClient,
  blob: Descriptor,
  content: Content,
  options: UploadOptions,
): Promise<void> {
  const doing = `write blob ${blob.digest} to ${client.where}`;
  await attempting(client, doing, async () => {
    const upload = new Upload(client, blob, content, options);
    const start = await requestFor(client, 'POST', 'blobs/uploads/');
    let response: HttpResponse;
    try {
      response = await retrying(
        start,
        (attempt) => upload.run(start, attempt),
        client.retry,
        (answer) => upload.isWorthAnotherTry(answer),
      );
    } catch (error) {
      if (!(error instanceof ConnectionError)) await upload.cancel();
      throw error;
    }
    if (response.status !== 201 && response.status !== 200 && response.status !== 204) {
      const failure = await failureOf(client, response, doing);
      await upload.cancel();
      throw failure;
    }
    discard(response);
  });
}

/** Gives up a session that a mount left, so that the registry need not keep it. */
export async function cancelSession(
  client: RepositoryClient,
  sessions: Sessions,
  digest: Digest,
): Promise<void> {
  const session = sessions.get(digest);
  if (session === undefined) return;
  sessions.delete(digest);
  await cancel(client, session);
}

/** One blob on its way, over one or several attempts. */
class Upload {
  readonly #client: RepositoryClient;
  readonly #blob: Descriptor;
  readonly #content: Content;
  readonly #options: UploadOptions;
  #session: URL | undefined;
  #isChunked: boolean;
  #chunkBytes: number;

  constructor(client: RepositoryClient, blob: Descriptor, content: Content, options: UploadOptions) {
    this.#client = client;
    this.#blob = blob;
    this.#content = content;
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#isChunked = options.chunkBytes !== undefined && blob.sizeBytes > options.chunkBytes;
  }

  async run(start: HttpRequest, attempt: number): Promise<HttpResponse> {
    this.#session = undefined;
    if (attempt > 1) {
      // The answer of the attempt before may have been lost after the work was done.
      const found = await this.#client.sendOnce(
        await requestFor(this.#client, 'HEAD', `blobs/${this.#blob.digest}`),
      );
      if (found.status === 200) return found;
      discard(found);
    }
    const opened = await this.#open(start);
    if (opened !== undefined) return opened;
    const response = this.#isChunked ? await this.#sendChunks() : await this.#sendWhole();
    if (response.status === 413 && !this.#isChunked && this.#blob.sizeBytes > this.#chunkBytes) {
      // A proxy before the registry limits how long a request may be.
      discard(response);
      await this.cancel();
      this.#isChunked = true;
      return this.run(start, attempt);
    }
    return response;
  }

  /** A transient answer, or a session that the registry forgot, as it does when it is restarted. */
  isWorthAnotherTry({ status }: HttpResponse): boolean {
    return isTransientStatus(status) || (this.#session !== undefined && (status === 404 || status === 416));
  }

  async cancel(): Promise<void> {
    if (this.#session !== undefined) await cancel(this.#client, this.#session);
  }

  /** Opens a session; returns the answer when there is none to go on with. */
  async #open(start: HttpRequest): Promise<HttpResponse | undefined> {
    const { sessions } = this.#options;
    const left = sessions.get(this.#blob.digest);
    if (left !== undefined) {
      sessions.delete(this.#blob.digest);
      this.#session = left;
      return undefined;
    }
    const response = await this.#client.sendOnce(start);
    if (response.status !== 202) return response;
    this.#session = sessionUrl(response);
    if (this.#session === undefined) return response;
    const wanted = Number(response.header('oci-chunk-min-length') ?? 0);
    if (wanted > 0 && wanted <= MAX_CHUNK_BYTES) {
      this.#chunkBytes = Math.max(this.#chunkBytes, wanted);
      this.#isChunked ||= this.#blob.sizeBytes > this.#chunkBytes;
    }
    discard(response);
    return undefined;
  }

  #sendWhole(): Promise<HttpResponse> {
    return this.#put({ sizeBytes: this.#blob.sizeBytes, open: this.#content });
  }

  async #sendChunks(): Promise<HttpResponse> {
    let at = 0;
    for await (const chunk of chunksOf(this.#content(), this.#chunkBytes)) {
      const end = at + chunk.length;
      if (end > this.#blob.sizeBytes) throw wrongSize(this.#blob, `more than ${this.#blob.sizeBytes}`);
      const response = await this.#send('PATCH', this.#session, {
        headers: { 'content-range': `${at}-${end - 1}` },
        body: { sizeBytes: chunk.length, open: () => [chunk] },
      });
      if (response.status !== 202 && response.status !== 204) return response;
      this.#session = sessionUrl(response) ?? this.#session;
      discard(response);
      at = end;
    }
    if (at !== this.#blob.sizeBytes) throw wrongSize(this.#blob, String(at));
    return this.#put({ sizeBytes: 0, open: () => [] });
  }

  #put(body: RequestBody): Promise<HttpResponse> {
    const url = this.#session === undefined ? undefined : new URL(this.#session);
    // Appended by hand: to go through searchParams would spell the registry's own query anew.
    if (url !== undefined) {
      url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(this.#blob.digest)}`;
    }
    return this.#send('PUT', url, { headers: {}, body });
  }

  #send(
    method: 'PATCH' | 'PUT',
    url: URL | undefined,
    { headers, body }: { headers: Record<string, string>; body: RequestBody },
  ): Promise<HttpResponse> {
    if (url === undefined) throw new RegistryError('UNEXPECTED_STATUS', 'Cannot upload without a session');
    const { scopes, signal } = this.#client;
    return this.#client.sendOnce({
      method,
      url,
      headers: { 'content-type': 'application/octet-stream', ...headers },
      body,
      scopes,
      signal,
    });
  }
}

async function cancel(client: RepositoryClient, session: URL): Promise<void> {
  if (client.signal?.aborted === true) return;
  try {
    const { scopes, signal } = client;
    discard(await client.sendOnce({ method: 'DELETE', url: session, headers: {}, scopes, signal }));
  } catch {
    // The registry drops sessions by itself after a while; there is nothing to report.
  }
}

/** Where a session goes on; undefined when the answer does not say. */
function sessionUrl(response: HttpResponse): URL | undefined {
  const location = response.header('location');
  const url = location === undefined ? undefined : resolveUrl(location, response.url);
  if (url === undefined) return undefined;
  // Registries behind a proxy that ends TLS do not know that they are reached over TLS.
  if (
    url.protocol === 'http:' &&
    response.url.protocol === 'https:' &&
    url.hostname === response.url.hostname
  ) {
    url.protocol = 'https:';
    url.port = response.url.port;
  }
  return url;
}

async function* chunksOf(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  chunkBytes: number,
): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of content) {
    let rest = part;
    while (bytes + rest.length >= chunkBytes) {
      const taken = chunkBytes - bytes;
      parts.push(rest.subarray(0, taken));
      yield Buffer.concat(parts);
      parts = [];
      bytes = 0;
      rest = rest.subarray(taken);
    }
    if (rest.length === 0) continue;
    parts.push(Buffer.from(rest));
    bytes += rest.length;
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

function wrongSize(blob: Descriptor, bytes: string): RegistryError {
  return new RegistryError(
    'SIZE_MISMATCH',
    `Cannot upload blob ${blob.digest}: its content has ${bytes} bytes where ${blob.sizeBytes} were announced`,
  );
}
