import { CompileError, RegistryError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Digest, digestOf, makeHasher } from '../oci/digest.ts';
import { parseTag } from '../oci/tag.ts';
import type { Driver, DriverSet, SourceTree } from '../spec/driver-set.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { pathFrom, referenceFrom } from '../spec/paths.ts';
import { imageOf } from '../spec/values.ts';
import { withoutCredentials } from '../without-credentials.ts';

/** What the source of a driver is, by what never changes. */
export type PinnedSource =
  | { readonly type: 'git'; readonly url: string; readonly ref: string; readonly commit: string }
  | { readonly type: 'directory' | 'files' | 'archive' | 'srpm' | 'rpm' | 'module'; readonly digest: Digest }
  | { readonly type: 'dkms'; readonly tree: PinnedSource }
  /** Digests of the images, by kernel release and architecture parted by a blank; those that are not there are left out. */
  | { readonly type: 'image'; readonly images: Readonly<Record<string, Digest>> };

/** A kernel that modules are made for. */
export interface PinnedKernel {
  readonly kernel: string;
  readonly arch: string;
}

type PinIo = Pick<Io, 'files' | 'sources' | 'images' | 'signal'>;

/**
 * Pins the source of a driver to what it is now: a commit, a checksum, or a digest of its files or images.
 *
 * @param kernels The kernels that it is wanted for: images are there for some of them.
 * @throws {CompileError} `SOURCE_UNREADABLE`; {RegistryError} when images cannot be looked up.
 */
export async function pinSource(
  { source }: Pick<Driver, 'source'>,
  { file }: Pick<DriverSet, 'file'>,
  io: PinIo,
  kernels: readonly PinnedKernel[] = [],
): Promise<PinnedSource> {
  switch (source.type) {
    case 'directory':
    case 'git':
    case 'archive':
      return pinTree(source, file, io);
    case 'dkms':
      return { type: 'dkms', tree: await pinTree(source.tree, file, io) };
    case 'srpm':
      return { type: 'srpm', digest: source.file.sha256 };
    case 'rpm':
      return {
        type: 'rpm',
        digest: digestOf(
          Buffer.from(JSON.stringify(source.packages.map((one) => [one.kernel ?? null, one.file.sha256]))),
        ),
      };
    case 'image':
      return { type: 'image', images: await pinImages(source.pattern, kernels, file, io) };
    case 'module':
      return { type: 'module', digest: digestOf(await readPinned(pathFrom(file, source.path), io.files)) };
    case 'files':
      return { type: 'files', digest: await digestModules(source.paths, file, io.files) };
  }
}

async function pinTree(source: SourceTree, file: string, { sources, signal }: PinIo): Promise<PinnedSource> {
  switch (source.type) {
    case 'git': {
      const commit = await sources.resolveGit(source, signal);
      return { type: 'git', url: withoutCredentials(source.url), ref: source.ref, commit };
    }
    case 'directory':
      return {
        type: 'directory',
        digest: await sources.digestDirectory(pathFrom(file, source.path), signal),
      };
    case 'archive':
      return { type: 'archive', digest: source.file.sha256 };
  }
}

/** What the tags stand for now. */
async function pinImages(
  pattern: string,
  kernels: readonly PinnedKernel[],
  file: string,
  { images }: PinIo,
): Promise<Readonly<Record<string, Digest>>> {
  const pins: Record<string, Digest> = {};
  for (const { kernel, arch } of kernels) {
    const key = imageKey({ kernel, arch });
    if (pins[key] !== undefined) continue;
    const reference = referenceFrom(file, imageOf(pattern, kernel, arch));
    if (reference.digest !== undefined) {
      pins[key] = reference.digest;
      continue;
    }
    try {
      const repository = await images.open(reference, 'read');
      pins[key] = (await repository.getManifest(parseTag(reference.tag ?? 'latest'))).digest;
    } catch (error) {
      // The compile unit of this kernel says so; others are unharmed.
      if (!(error instanceof RegistryError && error.code === 'NOT_FOUND')) throw error;
    }
  }
  return pins;
}

/** Key of an image in a pin. */
export function imageKey({ kernel, arch }: PinnedKernel): string {
  return `${kernel} ${arch}`;
}

async function readPinned(path: string, files: Io['files']): Promise<Uint8Array> {
  try {
    return await files.read(path);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read ${path}`, {
      cause: error,
      hint: 'Check its path; relative paths start at the spec.',
    });
  }
}

/** Names and bytes of modules that are built already; where they lie does not matter. */
async function digestModules(paths: readonly string[], file: string, files: Io['files']): Promise<Digest> {
  const hasher = makeHasher();
  for (const path of paths) {
    const bytes = await files.read(pathFrom(file, path)).catch((error: unknown) => {
      throw new CompileError('SOURCE_UNREADABLE', `Cannot read the module ${pathFrom(file, path)}`, {
        cause: error,
        hint: 'Check "source.files"; relative paths start at the spec.',
      });
    });
    hasher.update(Buffer.from(JSON.stringify([moduleNameOfPath(path), digestOf(bytes)])));
  }
  return hasher.digest();
}
