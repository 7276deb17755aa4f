import { OciError, RegistryError } from '../../errors.ts';
import { type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, type RawManifest } from '../../oci/manifest.ts';
import { MANIFEST_TYPES } from '../../oci/media-type.ts';
import type { Tag } from '../../oci/tag.ts';
import { checkManifestBytes, mediaTypeOf } from '../manifest-bytes.ts';
import { ConnectionError } from './connection-error.ts';
import { discard, type HttpResponse, readStart } from './message.ts';
import { toManifestError } from './problem.ts';
import { attempting, attemptOf, failureOf, type RepositoryClient, requestFor } from './repository-client.ts';
import { retrying } from './retry.ts';

const ACCEPT = { accept: MANIFEST_TYPES.join(', ') };

/**
 * Fetches a manifest and checks it against the digest it was asked for.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
 */
export async function getManifest(client: RepositoryClient, reference: Digest | Tag): Promise<RawManifest> {
  const doing = `read manifest ${reference} of ${client.where}`;
  return attempting(client, doing, async () => {
    const request = await requestFor(client, 'GET', `manifests/${reference}`, ACCEPT);
    let bytes: Buffer | undefined;
    // A body that breaks off is tried again like a request that did.
    const response = await retrying(
      request,
      async () => {
        const answer = await client.sendOnce(request);
        bytes = answer.status === 200 ? await readManifestBytes(answer, doing) : undefined;
        return answer;
      },
      client.retry,
    );
    if (bytes === undefined) throw await failureOf(client, response, doing);
    const digest = digestOf(bytes);
    if (isDigest(reference) && digest !== reference) {
      throw new RegistryError(
        'DIGEST_MISMATCH',
        `Cannot trust manifest ${reference} of ${client.where}: its bytes hash to ${digest}`,
        { hint: 'The registry, or a mirror or proxy before it, serves other bytes than it should.' },
      );
    }
    return { digest, mediaType: mediaTypeOf(bytes, response.header('content-type')), bytes };
  });
}

/** Asks whether a manifest is there; the digest is the server's word, and undefined when it gives none. */
export async function findManifest(
  client: RepositoryClient,
  reference: Digest | Tag,
): Promise<{ readonly digest: Digest | undefined } | undefined> {
  const doing = `find manifest ${reference} of ${client.where}`;
  return attempting(client, doing, async () => {
    const response = await client.send(await requestFor(client, 'HEAD', `manifests/${reference}`, ACCEPT));
    discard(response);
    if (response.status === 404) return undefined;
    // Only downloads are sent on: a registry that keeps manifests elsewhere is asked for the manifest itself.
    if (response.status >= 300 && response.status < 400) {
      try {
        return { digest: (await getManifest(client, reference)).digest };
      } catch (error) {
        if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
        throw error;
      }
    }
    if (response.status !== 200) throw await failureOf(client, response, doing);
    const digest = response.header('docker-content-digest') ?? '';
    return { digest: isDigest(digest) ? digest : isDigest(reference) ? reference : undefined };
  });
}

/** Writes a manifest; under a tag, it then asks the registry what the tag points at. */
export async function writeManifest(
  client: RepositoryClient,
  manifest: RawManifest,
  tag: Tag | undefined,
): Promise<void> {
  checkManifestBytes(manifest, client.where);
  const { bytes, digest, mediaType } = manifest;
  const doing = `write manifest ${tag ?? digest} to ${client.where}`;
  await attempting(client, doing, async () => {
    const response = await client.send({
      ...(await requestFor(client, 'PUT', `manifests/${tag ?? digest}`, { 'content-type': mediaType })),
      body: { sizeBytes: bytes.length, open: () => [bytes] },
    });
    if (response.status !== 201 && response.status !== 200 && response.status !== 202) {
      throw await toManifestError(response, attemptOf(client, doing));
    }
    discard(response);
  });
  if (tag !== undefined) await checkTag(client, tag, digest);
}

async function checkTag(client: RepositoryClient, tag: Tag, digest: Digest): Promise<void> {
  const said = (await findManifest(client, tag))?.digest;
  const found = said ?? (await getManifest(client, tag)).digest;
  if (found === digest) return;
  throw new RegistryError(
    'DIGEST_MISMATCH',
    `Cannot trust tag ${tag} of ${client.where}: it points at ${found}`,
    {
      hint: `${digest} was written, but someone else moved the tag or the registry changed the manifest.`,
    },
  );
}

async function readManifestBytes(response: HttpResponse, doing: string): Promise<Buffer> {
  const announced = Number(response.header('content-length') ?? 0);
  if (announced > MAX_MANIFEST_BYTES) {
    response.body.destroy();
    throw tooLarge(doing);
  }
  let bytes: Buffer;
  try {
    bytes = await readStart(response, MAX_MANIFEST_BYTES + 1);
  } catch (error) {
    throw new ConnectionError(error);
  }
  if (bytes.length > MAX_MANIFEST_BYTES) throw tooLarge(doing);
  return bytes;
}

function tooLarge(doing: string): OciError {
  return new OciError('LIMIT_EXCEEDED', `Cannot ${doing}: it has more than ${MAX_MANIFEST_BYTES} bytes`, {
    hint: 'No real manifest is that long: the registry, or a proxy before it, sends something else.',
  });
}
