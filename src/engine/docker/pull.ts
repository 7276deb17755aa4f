import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar, { type Pack } from 'tar-stream';
import { CompileError } from '../../errors.ts';
import { goArchOf } from '../../oci/arch.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { openImage, readSmallBlob, type OpenedImage } from '../../oci/open-image.ts';
import { MAX_CONFIG_BYTES } from '../../oci/config.ts';
import { formatReference, pinned, type RegistryReference } from '../../oci/reference.ts';
import type { PullRequest } from '../engine.ts';
import { type Api, statusOf } from './api.ts';
import { failureOfApiPull, failureOfRequest } from './failure.ts';
import { makeProgress } from './progress.ts';

/**
 * Makes an image known to a daemon, unless it is, and returns a name for `FROM`. The daemon fetches it by itself; what
 * it cannot reach by itself (a layout, a mirror, a registry whose certificate only the user's flags vouch for) is read
 * here and handed over.
 *
 * @throws {RegistryError} `UNAUTHORIZED`, `FORBIDDEN`, `NOT_FOUND`, `UNREACHABLE`; {CompileError} `ENGINE_FAILED`.
 */
export async function pullOverApi(api: Api, request: PullRequest): Promise<string> {
  const { image, signal } = request;
  const { digest } = image;
  if (digest === undefined) throw new TypeError(`No digest in ${formatReference(image)}`);
  signal.throwIfAborted();
  const { certificateDirectory, isInsecure, registriesFile } = api.options;
  const isPlain = certificateDirectory === undefined && isInsecure !== true && registriesFile === undefined;
  if (image.transport === 'docker' && isPlain) return fetchImage(api, request, { ...image, digest });
  return handOver(api, request, digest);
}

async function fetchImage(
  api: Api,
  request: PullRequest,
  image: RegistryReference & { digest: Digest },
): Promise<string> {
  const name = formatReference(pinned(image, image.digest));
  if (await isThere(api, name, request.signal)) return name;
  const found = await api.options.credentials?.find(image.host, image.repository);
  const authconfig = {
    serveraddress: image.host,
    username: found?.user ?? '',
    password: found?.identityToken === undefined ? (found?.password ?? '') : '',
    ...(found?.identityToken === undefined ? {} : { identitytoken: found.identityToken }),
  };
  const progress = makeProgress(() => undefined);
  try {
    const answer = await api.docker.createImage(found === undefined ? {} : authconfig, {
      fromImage: name,
      platform: `linux/${goArchOf(request.arch)}`,
      abortSignal: request.signal,
    });
    for await (const chunk of answer) progress.write(chunk);
  } catch (error) {
    request.signal.throwIfAborted();
    throw failureOfApiPull(name, error instanceof Error ? error.message : String(error), api.name);
  }
  const failure = progress.end();
  request.signal.throwIfAborted();
  if (failure !== undefined) throw failureOfApiPull(name, failure, api.name);
  return name;
}

async function isThere(api: Api, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await api.docker.getImage(name).inspect({ abortSignal: signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (statusOf(error) === 404) return false;
    throw failureOfRequest(`look for ${name}`, error, api.name);
  }
}

/** Streams an image from where it is to the daemon; nothing is written to this machine. */
async function handOver(api: Api, { image, arch, signal }: PullRequest, digest: Digest): Promise<string> {
  const name = `localhost/kmodlayer/image:${hexOf(digest)}`;
  if (await isThere(api, name, signal)) return name;
  const { images } = api.options;
  if (images === undefined) {
    throw new CompileError(
      'ENGINE_FAILED',
      `Cannot hand ${formatReference(image)} to ${api.name}: nothing reads it here`,
      {
        hint: 'Give "images" with the options of the engine.',
      },
    );
  }
  const opened = await openImage(await images.open(image, 'read'), digest, arch);
  const progress = makeProgress(() => undefined);
  const pack = tar.pack();
  const writing = writeArchive(pack, opened, { name, signal });
  writing.catch((error: unknown) => {
    pack.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    const answer = await api.docker.loadImage(pack as unknown as Readable, {
      quiet: true,
      abortSignal: signal,
    });
    for await (const chunk of answer) progress.write(chunk);
  } catch (error) {
    signal.throwIfAborted();
    // What could not be read says more than that the connection to the daemon was cut because of it.
    await writing;
    throw failureOfRequest(`hand over ${formatReference(image)}`, error, api.name);
  }
  const failure = progress.end();
  if (failure !== undefined)
    throw failureOfRequest(`hand over ${formatReference(image)}`, new Error(failure), api.name);
  return name;
}

/** The form that `docker save` writes; layers may be compressed. */
async function writeArchive(
  pack: Pack,
  { repository, manifest }: OpenedImage,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  const config = `${hexOf(manifest.config.digest)}.json`;
  pack.entry({ name: config }, await readSmallBlob(repository, manifest.config, MAX_CONFIG_BYTES));
  const layers: string[] = [];
  for (const layer of manifest.layers) {
    const path = `${hexOf(layer.digest)}.tar`;
    if (!layers.includes(path)) {
      await pipeline(
        repository.readBlob(layer, { signal }),
        pack.entry({ name: path, size: layer.sizeBytes }),
      );
    }
    layers.push(path);
  }
  pack.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: config, RepoTags: [name], Layers: layers }]),
  );
  pack.finalize();
}
