import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { rawManifest, type RawManifest } from '../../src/oci/manifest.ts';
import { type TestAuth, TestGate } from './test-registry-auth.ts';
import { type Fault, type FaultAction, FaultQueue } from './test-registry-faults.ts';

export type { Fault, FaultAction } from './test-registry-faults.ts';
export type { TestAuth } from './test-registry-auth.ts';

/** One request as it came in. */
export interface LoggedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

interface TestRepository {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>;
  readonly tags: Map<string, string>;
}

/**
 * A registry that lives in this process: it keeps everything in memory, speaks the distribution protocol over a real
 * socket, remembers what it was asked, and fails on demand.
 */
export class TestRegistry {
  readonly requests: LoggedRequest[] = [];
  readonly gate: TestGate | undefined;
  /** Largest chunk and smallest chunk are not checked; this is only announced. */
  minChunkBytes: number | undefined;
  /** Tags in one page of a listing. */
  pageSize = 100;
  readonly #repositories = new Map<string, TestRepository>();
  readonly #uploads = new Map<string, Buffer[]>();
  readonly #faults = new FaultQueue();
  readonly #server: Server;
  #host = '';

  constructor(options: { readonly auth?: TestAuth } = {}) {
    this.gate = options.auth === undefined ? undefined : new TestGate(options.auth);
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  /** Starts serving on a free port of the loopback. */
  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Host and port, as references name it. */
  get host(): string {
    return this.#host;
  }

  /** Upload sessions that were begun and neither finished nor cancelled. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  fail(fault: Fault): void {
    this.#faults.add(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  /** How many requests of a method had a path like this. */
  count(method: string, path: RegExp): number {
    return this.requests.filter((request) => request.method === method && path.test(request.url)).length;
  }

  putBlob(repository: string, bytes: Uint8Array, mediaType: string = MEDIA_TYPES.oci.layer): Descriptor {
    const digest = digestOf(bytes);
    this.repository(repository).blobs.set(digest, Buffer.from(bytes));
    return { mediaType, digest, sizeBytes: bytes.length };
  }

  putManifest(repository: string, json: Record<string, unknown>, tag?: string): RawManifest {
    const mediaType = typeof json['mediaType'] === 'string' ? json['mediaType'] : MEDIA_TYPES.oci.manifest;
    const manifest = rawManifest(json, mediaType);
    const { manifests, tags } = this.repository(repository);
    manifests.set(manifest.digest, { mediaType, bytes: Buffer.from(manifest.bytes) });
    if (tag !== undefined) tags.set(tag, manifest.digest);
    return manifest;
  }

  repository(name: string): TestRepository {
    const found = this.#repositories.get(name);
    if (found !== undefined) return found;
    const made = { blobs: new Map(), manifests: new Map(), tags: new Map() } satisfies TestRepository;
    this.#repositories.set(name, made);
    return made;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.#host}`);
    this.requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    const fault = this.#faults.take(request);
    if (fault?.kind === 'delay') await sleep(fault.ms);
    if (fault?.kind === 'reset') {
      await readBody(request, fault.afterBytes);
      request.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === 'status') {
      await readBody(request);
      response.writeHead(fault.status, fault.headers ?? {}).end(fault.body);
      return;
    }
    if (fault?.kind === 'redirect') {
      response.writeHead(fault.status, { location: fault.to }).end();
      return;
    }
    if (url.pathname === '/token' && this.gate !== undefined) {
      const { status, json } = this.gate.token(request, (await readBody(request)).toString('utf8'));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
      return;
    }
    if (!this.#isLetIn(request, response, url)) {
      request.resume();
      return;
    }
    await this.#route(request, response, url, fault);
  }

  #isLetIn(request: IncomingMessage, response: ServerResponse, url: URL): boolean {
    if (this.gate === undefined) return true;
    const name = /^\/v2\/(.+?)\/(?:blobs|manifests|tags)\//.exec(url.pathname)?.[1];
    const action = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'pull,push';
    const scopes = name === undefined ? [] : [`repository:${name}:${action}`];
    const challenge = this.gate.challenge(request, this.#host, scopes);
    if (challenge === undefined) return true;
    response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'application/json' });
    response.end(errorJson('UNAUTHORIZED', 'authentication required'));
    return false;
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    fault: FaultAction | undefined,
  ): Promise<void> {
    if (url.pathname === '/v2/') {
      response.writeHead(200).end('{}');
      return;
    }
    const [, name = '', kind, rest = ''] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    const repository = this.repository(name);
    if (kind === 'manifests') {
      await this.#manifests(request, response, repository, rest, fault);
      return;
    }
    if (kind === 'blobs') {
      const blob = repository.blobs.get(rest);
      if (blob === undefined) refuse(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
      else sendBlob(request, response, blob, rest, fault);
      return;
    }
    if (kind === 'blobs/uploads') await this.#upload(request, response, { name, id: rest, url, fault });
    else if (kind === 'tags') this.#tags(response, name, url);
    else refuse(response, 404, 'NOT_FOUND', 'no such page');
  }

  async #manifests(
    request: IncomingMessage,
    response: ServerResponse,
    repository: TestRepository,
    reference: string,
    fault: FaultAction | undefined,
  ): Promise<void> {
    if (request.method === 'PUT') {
      const bytes = await readBody(request);
      const digest = digestOf(bytes);
      const missing = missingBlobs(repository, bytes);
      if (missing.length > 0) {
        const errors = missing.map((missed) => ({
          code: 'MANIFEST_BLOB_UNKNOWN',
          message: 'blob unknown',
          detail: { digest: missed },
        }));
        response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
        return;
      }
      if (reference.startsWith('sha256:') && reference !== digest) {
        refuse(response, 400, 'DIGEST_INVALID', 'provided digest did not match');
        return;
      }
      repository.manifests.set(digest, { mediaType: request.headers['content-type'] ?? '', bytes });
      if (!reference.startsWith('sha256:')) repository.tags.set(reference, digest);
      if (fault?.kind === 'lose-answer') {
        request.socket.resetAndDestroy();
        return;
      }
      response.writeHead(201, { 'docker-content-digest': digest }).end();
      return;
    }
    const digest = reference.startsWith('sha256:') ? reference : repository.tags.get(reference);
    const found = digest === undefined ? undefined : repository.manifests.get(digest);
    if (digest === undefined || found === undefined) {
      refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
      return;
    }
    response.setHeader('content-type', found.mediaType);
    response.setHeader('docker-content-digest', digest);
    sendBody(request, response, found.bytes, fault);
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    { name, id, url, fault }: { name: string; id: string; url: URL; fault: FaultAction | undefined },
  ): Promise<void> {
    const repository = this.repository(name);
    if (request.method === 'POST') {
      const digest = url.searchParams.get('mount');
      const from = this.#repositories.get(url.searchParams.get('from') ?? '');
      const mounted = digest === null ? undefined : from?.blobs.get(digest);
      if (digest !== null && mounted !== undefined && fault?.kind !== 'refuse-mount') {
        repository.blobs.set(digest, mounted);
        response.writeHead(201, { location: `/v2/${name}/blobs/${digest}` }).end();
        return;
      }
      const session = randomUUID();
      this.#uploads.set(session, []);
      const hint = this.minChunkBytes === undefined ? {} : { 'oci-chunk-min-length': this.minChunkBytes };
      response.writeHead(202, { location: this.#session(name, session), ...hint }).end();
      return;
    }
    const parts = this.#uploads.get(id);
    if (parts === undefined) {
      await readBody(request);
      refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
      return;
    }
    if (request.method === 'DELETE') {
      this.#uploads.delete(id);
      response.writeHead(204).end();
      return;
    }
    parts.push(await readBody(request));
    if (request.method === 'PATCH') {
      const size = parts.reduce((sum, part) => sum + part.length, 0);
      response.writeHead(202, { location: this.#session(name, id), range: `0-${size - 1}` }).end();
      return;
    }
    const bytes = Buffer.concat(parts);
    const digest = url.searchParams.get('digest') ?? '';
    this.#uploads.delete(id);
    if (digestOf(bytes) !== digest) {
      refuse(response, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
      return;
    }
    repository.blobs.set(digest, bytes);
    if (fault?.kind === 'lose-answer') request.socket.resetAndDestroy();
    else response.writeHead(201, { location: `/v2/${name}/blobs/${digest}` }).end();
  }

  /** Relative, with a query of its own, as registries like to do it. */
  #session(name: string, id: string): string {
    return `/v2/${name}/blobs/uploads/${id}?_state=secret-state`;
  }

  #tags(response: ServerResponse, name: string, url: URL): void {
    const all = [...this.repository(name).tags.keys()].sort();
    const last = url.searchParams.get('last') ?? '';
    const size = Math.min(Number(url.searchParams.get('n') ?? this.pageSize), this.pageSize);
    const page = all.filter((tag) => tag > last).slice(0, size);
    const next = page.at(-1);
    if (next !== undefined && next !== all.at(-1)) {
      response.setHeader('link', `</v2/${name}/tags/list?last=${next}&n=${size}>; rel="next"`);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name, tags: page }));
  }
}

function missingBlobs(repository: TestRepository, bytes: Buffer): string[] {
  const json = JSON.parse(bytes.toString('utf8')) as {
    config?: { digest: string };
    layers?: { digest: string }[];
  };
  return [json.config, ...(json.layers ?? [])].flatMap((blob) =>
    blob !== undefined && !repository.blobs.has(blob.digest) ? [blob.digest] : [],
  );
}

function sendBlob(
  request: IncomingMessage,
  response: ServerResponse,
  blob: Buffer,
  digest: string,
  fault: FaultAction | undefined,
): void {
  response.setHeader('docker-content-digest', digest);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (range === null || fault?.kind === 'ignore-range') {
    sendBody(request, response, blob, fault);
    return;
  }
  const start = Number(range[1]) + (fault?.kind === 'wrong-range' ? 1 : 0);
  const end = range[2] === '' ? blob.length : Math.min(Number(range[2]) + 1, blob.length);
  if (start >= blob.length) {
    response.writeHead(416).end();
    return;
  }
  response.statusCode = 206;
  response.setHeader('content-range', `bytes ${start}-${end - 1}/${blob.length}`);
  sendBody(request, response, blob.subarray(start, end), fault);
}

function sendBody(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  fault: FaultAction | undefined,
): void {
  if (fault?.kind !== 'no-length') response.setHeader('content-length', bytes.length);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  if (fault?.kind === 'truncate' && fault.afterBytes < bytes.length) {
    response.write(bytes.subarray(0, fault.afterBytes), () => response.destroy());
    return;
  }
  const sent = Buffer.from(bytes);
  if (fault?.kind === 'corrupt' && sent.length > 0) sent[sent.length >> 1]! ^= 1;
  response.end(sent);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(errorJson(code, message));
}

function errorJson(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message, detail: null }] });
}

/** Reads a request's body, or its first bytes. */
async function readBody(request: IncomingMessage, limit = Infinity): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).length;
    if (bytes >= limit) break;
  }
  return Buffer.concat(parts);
}
