import type { Report } from '../events.ts';
import { RegistryError } from '../errors.ts';
import type { TrustOptions } from './http/certificates.ts';
import { ConnectionError, unreachable } from './http/connection-error.ts';
import { discard, type HttpResponse, resolveUrl, shownUrl } from './http/message.ts';
import { makeNetwork } from './http/network.ts';
import { withRedirects } from './http/redirects.ts';
import { isTransientStatus, type Sleep, withRetry } from './http/retry.ts';

/** How a file of the web is asked for. */
export interface WebRequest {
  /** An `http:` or `https:` address. */
  readonly url: string;
  /** What it is, for messages: `the update graph`. */
  readonly what: string;
  /** Media types that are understood. */
  readonly accept?: string;
  /** Most bytes that are taken. */
  readonly maxBytes: number;
  /** How often it is tried in all; 5 when absent. */
  readonly attempts?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Files of the web that are no images: update graphs, archives, release signatures. Credentials are never sent. */
export interface Web {
  /**
   * Reads a whole file; undefined when the server says that there is none (404 or 410).
   *
   * @throws {RegistryError} `UNREACHABLE`, `UNEXPECTED_STATUS`, `SIZE_MISMATCH` when it is larger than wanted.
   */
  get(request: WebRequest): Promise<Buffer | undefined>;
  /**
   * Reads a file piece by piece; what breaks off is thrown while it is read. Otherwise as `get`.
   */
  open(request: WebRequest): Promise<AsyncIterable<Buffer> | undefined>;
}

/** How the web is reached: proxies come from the environment. */
export interface WebOptions extends TrustOptions {
  readonly report: Report;
  readonly sleep?: Sleep;
  readonly signal?: AbortSignal | undefined;
}

const GONE = new Set([404, 410]);

/** Makes the way to files of the web. Nothing is opened before it is needed. */
export function makeWeb(options: WebOptions): Web {
  const network = makeNetwork({
    ...options,
    credentials: { find: () => Promise.resolve(undefined) },
    insecureHosts: options.insecureHosts ?? new Set(),
    sleep: options.sleep,
    signal: options.signal,
    maxConnections: 8,
    chunkBytes: undefined,
  });

  const begin = async (request: WebRequest): Promise<HttpResponse | undefined> => {
    const url = resolveUrl(request.url, new URL('https://invalid.example/'));
    if (url === undefined || !/^https?:/i.test(request.url)) {
      throw new RegistryError(
        'UNSUPPORTED',
        `Cannot read ${request.what}: its address is no http or https URL`,
      );
    }
    const retry = { ...network.retry, attempts: request.attempts ?? network.retry.attempts };
    const send = withRetry(withRedirects(network.transport), retry);
    const response = await send({
      method: 'GET',
      url,
      headers: { accept: request.accept ?? '*/*' },
      signal: request.signal ?? options.signal,
      isDownload: true,
    });
    if (response.status === 200) return response;
    discard(response);
    if (GONE.has(response.status)) return undefined;
    throw new RegistryError(
      'UNEXPECTED_STATUS',
      `Cannot read ${request.what} from ${shownUrl(url)}: the answer was ${response.status}`,
      {
        status: response.status,
        ...(isTransientStatus(response.status) ? { hint: 'The server failed: try again later.' } : {}),
      },
    );
  };

  const open: Web['open'] = async (request) => {
    const response = await telling(request, () => begin(request));
    return response === undefined ? undefined : bodyOf(response, request);
  };
  return {
    open,
    async get(request) {
      const body = await open(request);
      if (body === undefined) return undefined;
      const parts: Buffer[] = [];
      for await (const part of body) parts.push(part);
      return Buffer.concat(parts);
    },
  };
}

async function* bodyOf({ body }: HttpResponse, request: WebRequest): AsyncGenerator<Buffer> {
  const parts = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let bytes = 0;
  try {
    for (;;) {
      const part = await telling(request, () => nextOf(parts));
      if (part.done === true) return;
      bytes += part.value.length;
      if (bytes > request.maxBytes) {
        throw new RegistryError(
          'SIZE_MISMATCH',
          `Cannot read ${request.what}: it has more than ${request.maxBytes} bytes`,
        );
      }
      yield part.value;
    }
  } finally {
    body.destroy();
  }
}

/** A body that broke off is a connection that failed. */
async function nextOf(parts: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  try {
    return await parts.next();
  } catch (error) {
    throw new ConnectionError(error);
  }
}

/** Connections that failed for good become errors that say what was tried. */
async function telling<T>({ url, what, signal }: WebRequest, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ConnectionError) throw unreachable(error, `read ${what}`, new URL(url).host);
    throw error;
  }
}
