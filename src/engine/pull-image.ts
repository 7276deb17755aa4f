import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RegistryError } from '../errors.ts';
import { hexOf, type Digest } from '../oci/digest.ts';
import { formatReference, pinned, type LayoutReference } from '../oci/reference.ts';
import { environmentOf, makePullArguments, type StorageEngine } from './build-arguments.ts';
import type { PullRequest } from './engine.ts';
import { failureOfPull } from './build-failure.ts';
import { runProcess } from './process.ts';

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/**
 * Fetches an image into the user's storage, unless it is there, and returns its id.
 *
 * @throws {RegistryError} `UNAUTHORIZED`, `FORBIDDEN`, `NOT_FOUND`, `UNREACHABLE`.
 * @throws {CompileError} `ENGINE_FAILED`.
 */
export async function pullImage(engine: StorageEngine, request: PullRequest): Promise<string> {
  const { image, signal } = request;
  if (image.transport === 'oci' && image.digest !== undefined) {
    return pullFromLayout(engine, request, { ...image, digest: image.digest });
  }
  const name = formatReference(image.digest === undefined ? image : pinned(image, image.digest));
  const there = await findImage(engine, name, signal);
  return there?.id ?? (await fetchImage(engine, request, name));
}

/**
 * Neither podman nor buildah can pick an image out of a layout by digest, so they get a layout with this image alone, whose blobs are
 * those of the other.
 */
async function pullFromLayout(
  engine: StorageEngine,
  request: PullRequest,
  image: LayoutReference & { readonly digest: Digest },
): Promise<string> {
  // They make up a name from the path; newer ones take it from the annotation.
  const path = `kmodlayer/from-layout-${hexOf(image.digest)}`;
  const name = `localhost/${path}:latest`;
  const there = await findImage(engine, name, request.signal);
  if (there?.digest === image.digest) return there.id;
  const directory = await mkdtemp(join(tmpdir(), `kmodlayer-pull-${process.pid}-`));
  try {
    const layout = join(directory, path);
    await mkdir(layout, { recursive: true });
    await symlink(resolve(image.path, 'blobs'), join(layout, 'blobs'));
    await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const bytes = await readManifest(image);
    const manifest = {
      mediaType: mediaTypeOf(bytes),
      digest: image.digest,
      size: bytes.length,
      annotations: { 'org.opencontainers.image.ref.name': name },
    };
    await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
    return await fetchImage(engine, request, `oci:${path}`, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readManifest(image: LayoutReference & { readonly digest: Digest }): Promise<Buffer> {
  try {
    return await readFile(join(image.path, 'blobs', 'sha256', hexOf(image.digest)));
  } catch (error) {
    throw new RegistryError('NOT_FOUND', `Cannot fetch ${formatReference(image)}: it is not there`, {
      cause: error,
    });
  }
}

function mediaTypeOf(manifest: Buffer): string {
  const { mediaType } = JSON.parse(manifest.toString('utf8')) as { readonly mediaType?: unknown };
  return typeof mediaType === 'string' ? mediaType : OCI_MANIFEST;
}

async function findImage(
  { options, program }: StorageEngine,
  image: string,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly digest: string } | undefined> {
  const args = [...options.globalArguments, ...program.inspectCommand(image)];
  const result = await runProcess({ program: options.program, args, env: environmentOf(options), signal });
  const [, id, digest] = /^(?:sha256:)?([0-9a-f]{64}) (\S*)$/m.exec(result.output) ?? [];
  if (result.exitCode !== 0 || id === undefined || digest === undefined) return undefined;
  return { id, digest };
}

/** What is written meanwhile goes into a directory of ours, which an interrupt takes with it. */
async function fetchImage(
  { options, program }: StorageEngine,
  request: PullRequest,
  name: string,
  directory?: string,
): Promise<string> {
  const temporary = await mkdtemp(
    join(process.env['TMPDIR'] ?? '/var/tmp', `kmodlayer-pull-${process.pid}-`),
  );
  try {
    const args = [...options.globalArguments, ...makePullArguments(options, name, request.arch)];
    const env = { ...environmentOf(options), TMPDIR: temporary };
    const result = await runProcess({
      program: options.program,
      args,
      env,
      signal: request.signal,
      ...(directory === undefined ? {} : { directory }),
    });
    const id = /^(?:sha256:)?([0-9a-f]{64})$/m.exec(result.output)?.[1];
    if (result.exitCode !== 0 || id === undefined)
      throw failureOfPull(formatReference(request.image), result.tail, program.name);
    return id;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
