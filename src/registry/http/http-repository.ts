import { RegistryError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryReference } from '../../oci/reference.ts';
import { parseTag } from '../../oci/tag.ts';
import type { Repository } from '../repository.ts';
import { withAuth } from './auth.ts';
import { hasBlob, readBlob } from './blobs.ts';
import { findManifest, getManifest, writeManifest } from './manifests.ts';
import type { HttpRequest, HttpResponse, Send } from './message.ts';
import type { Network } from './network.ts';
import { withRedirects } from './redirects.ts';
import { credentialHint } from './problem.ts';
import type { RepositoryClient } from './repository-client.ts';
import { type RetryPolicy, withRetry } from './retry.ts';
import { listTags } from './tags.ts';
import { cancelSession, mountBlob, type Sessions, uploadBlob } from './uploads.ts';

const LATEST = parseTag('latest');

/** A repository that is reached over HTTP, at one or several places. */
export interface RemoteRepository extends Repository {
  readonly reference: RegistryReference;
  /** Where its bytes really come from, best place first: mirrors have other names than what they mirror. */
  readonly places: () => readonly RegistryReference[];
}

export interface HttpRepositoryOptions {
  /** What is done with it: a token is asked for no more than that. */
  readonly purpose: 'read' | 'write';
  /** How often requests are tried; as often as the network's policy says when absent. */
  readonly attempts?: number;
}

/** Says whether a repository is reached over HTTP. */
export function isRemote(repository: Repository): repository is RemoteRepository {
  return repository.reference.transport === 'docker' && 'places' in repository;
}

/** Opens a repository of a registry. No request is sent before the first call. */
export function httpRepository(
  network: Network,
  reference: RegistryReference,
  { purpose, attempts }: HttpRepositoryOptions,
): RemoteRepository {
  const place: RegistryReference = {
    transport: 'docker',
    host: reference.host,
    repository: reference.repository,
  };
  const retry = { ...network.retry, ...(attempts === undefined ? {} : { attempts }) };
  const client = makeClient(network, place, { purpose, retry });
  const sessions: Sessions = new Map();
  // What a registry said it has and then did not know when a manifest named it: its word on those is not taken again.
  const doubted = new Set<Digest>();
  // What we asked for in vain need not be asked for again before it is sent.
  const absent = new Set<Digest>();
  const isThere: Repository['hasBlob'] = async (blob) => {
    if (doubted.has(blob.digest)) return false;
    const isFound = await hasBlob(client, blob);
    if (isFound) absent.delete(blob.digest);
    else absent.add(blob.digest);
    return isFound;
  };

  return {
    reference: place,
    places: () => [place],
    getManifest: (tagOrDigest) => getManifest(client, tagOrDigest),
    findManifest: (tagOrDigest) => findManifest(client, tagOrDigest),
    readBlob: (blob, options = {}) => readBlob(client, blob, options),
    hasBlob: isThere,
    async mountBlob(blob, from) {
      const source = isRemote(from) ? from.places().find(({ host }) => host === place.host) : undefined;
      if (source === undefined) return false;
      if (source.repository === place.repository) return isThere(blob);
      const isMounted = await mountBlob(client, blob, { from: repositoryPath(source), sessions });
      if (isMounted) {
        absent.delete(blob.digest);
        doubted.delete(blob.digest);
      }
      return isMounted;
    },
    async writeBlob(blob, content) {
      // A session that a mount left says that the blob is not there.
      const isKnownAbsent = sessions.has(blob.digest) || absent.has(blob.digest);
      if (!isKnownAbsent && (await isThere(blob))) return;
      await uploadBlob(client, blob, content, { sessions, chunkBytes: network.chunkBytes });
      absent.delete(blob.digest);
      doubted.delete(blob.digest);
    },
    async writeManifest(manifest, tag) {
      try {
        await writeManifest(client, manifest, tag);
      } catch (error) {
        if (error instanceof RegistryError && error.code === 'BLOB_UNKNOWN') {
          for (const digest of error.blobs) doubted.add(digest as Digest);
        }
        throw error;
      }
      for (const digest of [...sessions.keys()]) await cancelSession(client, sessions, digest);
    },
    listTags: (limit) => listTags(client, limit),
    defaultManifest: () => Promise.resolve(LATEST),
  };
}

function makeClient(
  network: Network,
  place: RegistryReference,
  { purpose, retry }: { purpose: 'read' | 'write'; retry: RetryPolicy },
): RepositoryClient {
  const path = repositoryPath(place);
  const findCredential: RepositoryClient['findCredential'] = () =>
    network.credentials.find(place.host, place.repository);
  let chain: Promise<Send> | undefined;
  const sendOnce = async (request: HttpRequest): Promise<HttpResponse> => {
    chain ??= network.baseUrl(place.host).then((registry) =>
      withRedirects(
        withAuth(network.transport, {
          registry,
          tokens: network.tokens,
          findCredential,
          challenges: network.challenges,
          hint: credentialHint(place),
        }),
      ),
    );
    return (await chain)(request);
  };
  return {
    host: place.host,
    repository: place.repository,
    where: `${place.host}/${place.repository}`,
    sendOnce,
    send: withRetry(sendOnce, retry),
    retry,
    scopes: [`repository:${path}:${purpose === 'write' ? 'pull,push' : 'pull'}`],
    signal: network.signal,
    findCredential,
    url: async (below) => new URL(`/v2/${path}/${below}`, await network.baseUrl(place.host)),
  };
}

/** The path in URLs and scopes: Docker Hub keeps images without a namespace in `library`. */
function repositoryPath({ host, repository }: RegistryReference): string {
  return (host === 'docker.io' || host === 'index.docker.io') && !repository.includes('/')
    ? `library/${repository}`
    : repository;
}
