import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CompileError } from '../../errors.ts';
import { goArchOf } from '../../oci/arch.ts';
import type { Build, BuildRequest } from '../engine.ts';
import { ignoreFileOf } from '../ignore-file.ts';
import { makeRedact } from '../redact.ts';
import { readSecret, readSecrets } from '../secrets.ts';
import type { Api, ApiOptions } from './api.ts';
import { makeLeavings, removeLeavings, REQUEST_LABEL } from './leavings.ts';
import { packContext, type ContextFile } from './context.ts';
import { failureOfApiBuild } from './failure.ts';
import { copyFilesOut } from './output.ts';
import { makeProgress } from './progress.ts';
import { openSession } from './session.ts';

/** Stands in the context of a build, because an API takes no Containerfile from elsewhere. */
const CONTAINERFILE = '.kmodlayer.Containerfile';
const TAIL_LINES = 200;

/** One request, and names in the daemon that no other request has. */
interface Job {
  readonly api: Api;
  readonly request: BuildRequest;
  /** For instance `localhost/kmodlayer/0123456789ab`. */
  readonly prefix: string;
  readonly redact: (line: string) => string;
}

/**
 * Builds over an API, as `Engine.build` says. An API has no additional build contexts: the assets become an image of
 * their own, and the name `kmodlayer` in a Containerfile that of the image.
 */
export async function buildOverApi(api: Api, request: BuildRequest): Promise<void> {
  const { signal } = request;
  signal.throwIfAborted();
  const redact = makeRedact(await readSecrets(request.builds));
  const prefix = `localhost/kmodlayer/${randomBytes(6).toString('hex')}`;
  const job = { api, request, prefix, redact };
  const before = await makeLeavings(api);
  try {
    await buildAssets(job);
    for (const position of request.builds.keys()) await buildOne(job, position);
    const output = `${prefix}/output`;
    const containerfile = `FROM scratch\nCOPY --from=${prefix}/build-${request.builds.length - 1} / /output/\n`;
    await run(job, { name: output, build: { containerfile, args: {}, secrets: [] }, files: [] });
    await copyFilesOut(api, { image: output, directory: request.outputDirectory, signal });
  } finally {
    await removeLeavings(api, { prefix, before });
  }
}

async function buildAssets(job: Job): Promise<void> {
  const files = job.request.assets.map(({ path, text }): ContextFile => {
    if (path.startsWith('/') || path.split('/').includes('..')) {
      throw new CompileError(
        'ENGINE_FAILED',
        `Cannot give a build ${JSON.stringify(path)}: not a relative path`,
      );
    }
    return { path: `assets/${path}`, bytes: Buffer.from(text) };
  });
  if (files.length === 0) return;
  const build = { containerfile: 'FROM scratch\nCOPY assets/ /\n', args: {}, secrets: [] };
  await run(job, { name: `${job.prefix}/assets`, build, files });
}

async function buildOne(job: Job, position: number): Promise<void> {
  const build = job.request.builds[position];
  if (build === undefined) return;
  const rename = (text: string): string =>
    text.replaceAll(/localhost\/kmodlayer\/(build-\d+)\b/g, `${job.prefix}/$1`);
  const containerfile = rename(build.containerfile).replaceAll(
    /(?<=\bfrom=)kmodlayer(?=[\s,]|$)/gm,
    `${job.prefix}/assets`,
  );
  const args = Object.fromEntries(Object.entries(build.args).map(([name, value]) => [name, rename(value)]));
  await run(job, {
    name: `${job.prefix}/build-${position}`,
    build: { ...build, containerfile, args },
    files: [],
  });
}

interface Run {
  readonly name: string;
  readonly build: Build;
  readonly files: readonly ContextFile[];
}

async function run(job: Job, { name, build, files }: Run): Promise<void> {
  const { api, request, prefix, redact } = job;
  const { signal } = request;
  const secrets = new Map<string, Buffer>();
  for (const { id, file } of build.secrets) secrets.set(id, await readSecret(file));
  const { credentials } = api.options;
  const session = api.isPodman ? undefined : await openSession(api.docker, { secrets, credentials });
  const byContext = api.isPodman ? secretFiles(secrets) : [];
  const lines: string[] = [];
  const progress = makeProgress((line) => {
    const safe = redact(line);
    lines.push(safe);
    if (lines.length > TAIL_LINES) lines.shift();
    request.onLine(safe);
  });
  try {
    const context = packContext({
      directory: build.context,
      ignore: await ignoreFileOf(build),
      files: [
        { path: CONTAINERFILE, bytes: Buffer.from(build.containerfile) },
        ...files,
        ...byContext.map(({ file }) => file),
      ],
      signal,
    });
    const options = {
      ...api.buildOptions,
      // A number: with a word, dockerode opens a session of its own, which knows no secrets.
      ...(session === undefined ? {} : { version: 2, session: session.id }),
      ...(byContext.length === 0 ? {} : { secrets: JSON.stringify(byContext.map(({ option }) => option)) }),
      ...(build.stage === undefined ? {} : { target: build.stage }),
      ...(build.isForeign === true || !api.isPodman ? {} : { layers: 'false' }),
      ...(api.isPodman ? { labels: { [REQUEST_LABEL]: prefix } } : {}),
      dockerfile: CONTAINERFILE,
      t: name,
      buildargs: build.args,
      platform: `linux/${goArchOf(request.arch)}`,
      ...{ nocache: true, pull: false, rm: true, forcerm: true },
      abortSignal: signal,
    };
    for await (const chunk of await startBuild(api, context, options)) progress.write(chunk);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CompileError) throw error;
    throw failureOfApiBuild(redact(error instanceof Error ? error.message : String(error)), lines, api.name);
  } finally {
    session?.close();
  }
  const failure = progress.end();
  signal.throwIfAborted();
  if (failure !== undefined) throw failureOfApiBuild(redact(failure), lines, api.name);
}

/** podman isolates containers as it is told by its own API alone, which takes the same options otherwise. */
function startBuild(
  { docker, isPodman }: Api,
  context: Readable,
  { abortSignal, ...options }: ApiOptions,
): Promise<AsyncIterable<Uint8Array>> {
  if (!isPodman) {
    const ofDocker = Object.entries(options).filter(([name]) => name !== 'isolation');
    return docker.buildImage(context, { ...Object.fromEntries(ofDocker), abortSignal });
  }
  return new Promise((resolve, reject) => {
    const request = {
      ...{ method: 'POST', path: '/v4.0.0/libpod/build?', options, file: context, abortSignal },
      ...{ isStream: true, statusCodes: { 200: true } },
    };
    docker.modem.dial(request, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(error);
    });
  });
}

/** podman moves these out of the context before it builds, and mounts them. */
function secretFiles(
  secrets: ReadonlyMap<string, Buffer>,
): readonly { readonly option: string; readonly file: ContextFile }[] {
  return [...secrets].map(([id, bytes], position) => {
    const path = `.kmodlayer-secret-${randomBytes(6).toString('hex')}-${position}`;
    return { option: `id=${id},src=${path}`, file: { path, bytes, mode: 0o600 } };
  });
}
