import { RegistryError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { makeHasher } from '../oci/digest.ts';

/**
 * Passes a blob's bytes on and checks them on the way. The last chunk is handed out only after hash and size were
 * found right, so nobody ever holds a whole blob that is not what its digest says.
 *
 * @param where Said in messages: where the bytes come from.
 * @throws {RegistryError} `DIGEST_MISMATCH` or `SIZE_MISMATCH`.
 */
export async function* verified(
  blob: Descriptor,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hasher = makeHasher();
  let bytes = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    if (held !== undefined) yield held;
    bytes += chunk.length;
    if (bytes > blob.sizeBytes) throw wrongSize(blob, where, `more than ${blob.sizeBytes}`);
    hasher.update(chunk);
    held = chunk;
  }
  if (bytes !== blob.sizeBytes) throw wrongSize(blob, where, String(bytes));
  const digest = hasher.digest();
  if (digest !== blob.digest) {
    throw new RegistryError(
      'DIGEST_MISMATCH',
      `Cannot trust blob ${blob.digest} of ${where}: its bytes hash to ${digest}`,
      { hint: 'The blob is damaged where it is stored or on its way: try again, or push it again.' },
    );
  }
  if (held !== undefined) yield held;
}

function wrongSize(blob: Descriptor, where: string, bytes: string): RegistryError {
  return new RegistryError(
    'SIZE_MISMATCH',
    `Cannot trust blob ${blob.digest} of ${where}: it has ${bytes} bytes where ${blob.sizeBytes} were announced`,
  );
}

/** The first bytes of a stream; the stream is closed when they are there. */
export async function* firstBytesOf(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = limit;
  if (left <= 0) return;
  for await (const chunk of chunks) {
    yield chunk.length <= left ? chunk : chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}
