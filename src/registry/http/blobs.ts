import { RegistryError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ReadBlobOptions } from '../repository.ts';
import { verified } from '../verified.ts';
import { ConnectionError, describeConnectionError, unreachable } from './connection-error.ts';
import { discard, type HttpRequest, type HttpResponse } from './message.ts';
import { attempting, failureOf, type RepositoryClient, requestFor } from './repository-client.ts';
import { pause } from './retry.ts';

/** A download that moved this much since it broke last has earned all of its attempts again. */
const PROGRESS_BYTES = 1024 ** 2;

/** Says whether a blob is there, by HEAD. */
export async function hasBlob(client: RepositoryClient, blob: Descriptor): Promise<boolean> {
  const doing = `find blob ${blob.digest} of ${client.where}`;
  return attempting(client, doing, async () => {
    const response = await client.send(await requestFor(client, 'HEAD', `blobs/${blob.digest}`));
    discard(response);
    // A registry redirects to its storage only for a blob that it has.
    if (response.status === 200 || (response.status >= 300 && response.status < 400)) return true;
    if (response.status === 404) return false;
    throw await failureOf(client, response, doing);
  });
}

/**
 * Streams a blob, or its first bytes. A connection that breaks is resumed where it broke; the hash goes over all parts.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
 */
export async function* readBlob(
  client: RepositoryClient,
  blob: Descriptor,
  { firstBytes, signal }: ReadBlobOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const both = signal === undefined || client.signal === undefined ? undefined : [signal, client.signal];
  const anySignal = both === undefined ? (signal ?? client.signal) : AbortSignal.any(both);
  const isPrefix = firstBytes !== undefined && firstBytes < blob.sizeBytes;
  const end = isPrefix ? Math.max(0, firstBytes) : blob.sizeBytes;
  if (isPrefix && end === 0) return;
  const chunks = download(client, blob, end, anySignal);
  yield* isPrefix ? chunks : verified(blob, chunks, client.where);
}

/** Bytes 0 to `end` of a blob, over as many connections as it takes. */
async function* download(
  client: RepositoryClient,
  blob: Descriptor,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const doing = `read blob ${blob.digest} of ${client.where}`;
  let at = 0;
  let brokeAt = 0;
  for (let attempt = 1; ; attempt++) {
    const request = await downloadRequest(client, blob, { at, end, signal });
    const response = await attempting(client, doing, () => client.send(request));
    const skip = await startOf(client, response, { blob, at, doing });
    let failure: unknown;
    try {
      let toSkip = skip;
      for await (const part of response.body) {
        let chunk = part as Buffer;
        if (toSkip > 0) {
          const skipped = Math.min(toSkip, chunk.length);
          toSkip -= skipped;
          chunk = chunk.subarray(skipped);
        }
        if (chunk.length === 0) continue;
        at += chunk.length;
        // Bytes past the end of a whole blob go on to the check, which refuses them.
        if (end < blob.sizeBytes && at > end) chunk = chunk.subarray(0, chunk.length - (at - end));
        yield chunk;
        if (end < blob.sizeBytes && at >= end) return;
      }
      if (at >= end) return;
    } catch (error) {
      failure = error;
    }
    signal?.throwIfAborted();
    if (failure === undefined) failure = new Error('the connection was closed before the end');
    const broken = new ConnectionError(failure);
    if (at - brokeAt >= PROGRESS_BYTES) attempt = 1;
    brokeAt = at;
    if (attempt >= client.retry.attempts) throw unreachable(broken, doing, client.host);
    await pause(client.retry, { request, attempt, why: describeConnectionError(broken) });
  }
}

interface Part {
  readonly at: number;
  readonly end: number;
  readonly signal: AbortSignal | undefined;
}

async function downloadRequest(
  client: RepositoryClient,
  blob: Descriptor,
  { at, end, signal }: Part,
): Promise<HttpRequest> {
  const isWhole = end === blob.sizeBytes;
  const range = isWhole ? `bytes=${at}-` : `bytes=${at}-${end - 1}`;
  return {
    ...(await requestFor(client, 'GET', `blobs/${blob.digest}`, {
      // Nothing on the way may pack the bytes: their hash is over what is stored.
      'accept-encoding': 'identity',
      ...(isWhole && at === 0 ? {} : { range }),
    })),
    isDownload: true,
    signal,
  };
}

/** How many bytes of an answer were delivered already; throws when the answer is none to go on with. */
async function startOf(
  client: RepositoryClient,
  response: HttpResponse,
  { blob, at, doing }: { blob: Descriptor; at: number; doing: string },
): Promise<number> {
  if (response.status === 200) {
    const announced = response.header('content-length');
    if (announced !== undefined && Number(announced) !== blob.sizeBytes) {
      response.body.destroy();
      throw wrongSize(blob, client, announced);
    }
    return at;
  }
  if (response.status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header('content-range') ?? '') ?? [];
    if (total !== undefined && total !== '*' && Number(total) !== blob.sizeBytes) {
      response.body.destroy();
      throw wrongSize(blob, client, total);
    }
    if (Number(start) === at) return 0;
    response.body.destroy();
    throw new RegistryError(
      'UNEXPECTED_STATUS',
      `Cannot ${doing}: ${client.host} sent another part than byte ${at}`,
      {
        status: 206,
      },
    );
  }
  if (response.status === 416) {
    discard(response);
    throw wrongSize(blob, client, `at most ${at}`);
  }
  throw await failureOf(client, response, doing);
}

function wrongSize(blob: Descriptor, client: RepositoryClient, bytes: string): RegistryError {
  return new RegistryError(
    'SIZE_MISMATCH',
    `Cannot trust blob ${blob.digest} of ${client.where}: it has ${bytes} bytes where ${blob.sizeBytes} were announced`,
  );
}
