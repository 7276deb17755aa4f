import type { IncomingMessage } from 'node:http';

/** A body that can be sent again from its start. */
export interface RequestBody {
  /** Exactly this many bytes come out of `open`. */
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** What a token must allow, for instance `repository:acme/driver:pull`. Absent: no credential is sent. */
  readonly scopes?: readonly string[];
  /** A download that its reader may hold open for long; it gets a connection of its own kind. */
  readonly isDownload?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Where the answer came from. */
  readonly url: URL;
  /** Value of a header by its lower-case name; several of one name are joined with a comma. */
  readonly header: (name: string) => string | undefined;
  /** Must be read, or given to `discard`. To stop reading closes the connection. */
  readonly body: IncomingMessage;
}

/** The one seam to the network. Decorators add what a request needs. */
export type Send = (request: HttpRequest) => Promise<HttpResponse>;

/** An answer longer than this is not read to its end just to keep a connection. */
const WORTH_READING_BYTES = 64 * 1024;

/** Drops an answer's body, so that its connection can serve the next request. */
export function discard(response: HttpResponse): void {
  const { body } = response;
  body.on('error', () => undefined);
  let bytes = 0;
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > WORTH_READING_BYTES) body.destroy();
  });
}

/** The first bytes of an answer's body; a longer one is cut and its connection closed. */
export async function readStart(response: HttpResponse, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).length;
    if (bytes >= limitBytes) break;
  }
  return Buffer.concat(parts).subarray(0, limitBytes);
}

/** A URL as it may be shown: without query, user and password, which can hold signatures and secrets. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** A URL that may be relative to another one; undefined for text that is none, or none of the web. */
export function resolveUrl(text: string, base: URL): URL | undefined {
  try {
    const url = new URL(text, base);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
  } catch {
    return undefined;
  }
}

/** Says whether two URLs are of one origin: a credential for the one may go to the other. */
export function isSameOrigin(one: URL, other: URL): boolean {
  return one.protocol === other.protocol && one.host === other.host;
}
