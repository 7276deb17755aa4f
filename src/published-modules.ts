import { createHash } from 'node:crypto';
import type { CompiledModule, CompiledSource } from './compile/compile.ts';
import { isCompiledSource } from './compile/kept-driver.ts';
import { OciError, RegistryError } from './errors.ts';
import type { Io } from './io.ts';
import type { Arch } from './oci/arch.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { hexOf } from './oci/digest.ts';
import { readLayerFiles, unpackLimit } from './oci/layer-files.ts';
import { parseManifest } from './oci/manifest.ts';
import { pinned, type Reference } from './oci/reference.ts';
import { isTag, type Tag, tagFrom } from './oci/tag.ts';
import { parsePublishedProvenance, type PublishedProvenance } from './published-provenance.ts';
import type { Repository } from './registry/repository.ts';
import type { SigningCertificate } from './sign/open-signers.ts';
import { verifyModuleSignature } from './sign/verify-signature.ts';
import { findKernelRelease, type KernelFlavour, type KernelRelease } from './spec/kernel-release.ts';
import { type ModuleName, moduleNameOfPath } from './spec/module-name.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';

/** The modules of a driver that are wanted for a kernel, made for whichever kernel. */
export interface WantedModules {
  /** Hash of what they must have been compiled from. */
  readonly sourceHash: string;
  /** Names of the modules, in the order of the spec. */
  readonly modules: readonly ModuleName[];
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  readonly flavour: KernelFlavour;
  readonly stream: string;
}

/** Modules of one driver as a set published them: each has the signatures that the set's own would get. */
export interface PublishedModules {
  /** The image that they lie in, by digest. */
  readonly image: Reference;
  /** The kernel that they were compiled for. */
  readonly madeFor: KernelRelease;
  readonly source: CompiledSource;
  readonly modules: readonly CompiledModule[];
}

/** Finds modules in the images that a set published, those of the nearest kernels first. */
export type FindPublished = (wanted: WantedModules) => AsyncGenerator<PublishedModules>;

/** Tags of a repository that are looked at. */
const MAX_TAGS = 5000;

/** Images that are looked into for one driver and kernel. */
const MAX_IMAGES = 8;

/** An image of the set. */
interface Image {
  readonly reference: Reference;
  readonly layer: Descriptor;
  readonly provenance: PublishedProvenance;
}

/** A tag that images of kmodlayer get. */
interface Candidate {
  readonly repository: Repository;
  readonly reference: Reference;
  readonly tag: Tag;
  readonly kernel: string;
}

/**
 * Looks for modules in the repositories that a set publishes to. What is there may have been written by others: modules
 * must be those that their image speaks of, byte for byte, and have a signature that holds under each certificate.
 *
 * @param certificates Those of the signers of the set.
 */
export function makeFindPublished(
  set: Pick<DriverSet, 'name' | 'file' | 'publish'>,
  certificates: readonly SigningCertificate[],
  io: Pick<Io, 'images' | 'cache' | 'signal'>,
): FindPublished {
  const provenancePath = `usr/share/kmodlayer/${set.name}.json`;
  const images = new Map<Candidate, Promise<Image | undefined>>();
  let listed: Promise<readonly Candidate[]> | undefined;
  const imageOf = (candidate: Candidate): Promise<Image | undefined> => {
    const known =
      images.get(candidate) ??
      openImage(candidate, { name: set.name, provenancePath }, io).catch(passOverUnreadable);
    images.set(candidate, known);
    return known;
  };
  return async function* (wanted) {
    listed ??= listCandidates(set, io);
    for (const candidate of nearestFirst(await listed, wanted.kernel).slice(0, MAX_IMAGES)) {
      io.signal.throwIfAborted();
      const image = await imageOf(candidate);
      const driver = image === undefined ? undefined : driverFor(image.provenance, wanted);
      if (image === undefined || driver === undefined) continue;
      const modules = await readModules(driver, wanted, {
        image,
        repository: candidate.repository,
        certificates,
      });
      const madeFor = findKernelRelease(driver.madeFor?.kernel ?? image.provenance.kernel);
      if (modules === undefined || madeFor === undefined || !isCompiledSource(driver.source)) continue;
      yield { image: image.reference, madeFor, source: driver.source, modules };
    }
  };
}

async function listCandidates(
  { file, publish }: Pick<DriverSet, 'file' | 'publish'>,
  io: Pick<Io, 'images'>,
): Promise<readonly Candidate[]> {
  const places = [publish.osImage, ...(publish.kmodImage === undefined ? [] : [publish.kmodImage])];
  const lists = await Promise.all(
    places.map(async (place) => {
      const reference = referenceFrom(file, place);
      const repository = await io.images.open(reference, 'write');
      const tags = await listTags(repository);
      return tags.flatMap((tag): readonly Candidate[] => {
        const kernel = kernelOfTag(tag);
        return kernel === undefined || !isTag(tag) ? [] : [{ repository, reference, tag, kernel }];
      });
    }),
  );
  return lists.flat();
}

/** A repository that nothing was pushed to has none. */
async function listTags(repository: Repository): Promise<readonly string[]> {
  try {
    return await repository.listTags(MAX_TAGS);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return [];
    throw error;
  }
}

/** What stands for the kernel in the tag of an image, which ends in digits of its input hash; undefined for other tags. */
export function kernelOfTag(tag: string): string | undefined {
  const name = /^(.+)-[0-9a-f]{12}$/.exec(tag)?.[1];
  return name === undefined
    ? undefined
    : (/^\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?-(\d+\.\d+\.\d+-.+)$/.exec(name)?.[1] ?? name);
}

const { compare } = new Intl.Collator('en', { numeric: true });

/** Older and newer kernels by turns, and those of another major version of RHEL never. */
function nearestFirst(candidates: readonly Candidate[], kernel: KernelRelease): readonly Candidate[] {
  const name = tagFrom(kernel);
  const major = majorOf(name);
  const sorted = candidates
    .filter((one) => majorOf(one.kernel) === major)
    .sort((a, b) => compare(a.kernel, b.kernel));
  const older = sorted.filter((one) => compare(one.kernel, name) <= 0).reverse();
  const newer = sorted.slice(older.length);
  return Array.from({ length: Math.max(older.length, newer.length) }, (_, at) => [older[at], newer[at]])
    .flat()
    .filter((one) => one !== undefined);
}

function majorOf(kernel: string): string | undefined {
  return /\.el(\d+)/.exec(kernel)?.[1];
}

/** What others pushed, or took away since the tags were listed, keeps nothing from being compiled. */
function passOverUnreadable(error: unknown): undefined {
  const isGone = error instanceof RegistryError && error.code === 'NOT_FOUND';
  if (!isGone && !(error instanceof OciError)) throw error;
}

async function openImage(
  { repository, reference, tag }: Candidate,
  { name, provenancePath }: { readonly name: string; readonly provenancePath: string },
  io: Pick<Io, 'cache'>,
): Promise<Image | undefined> {
  const manifest = await repository.getManifest(tag);
  const parsed = parseManifest(manifest);
  const layer = parsed.kind === 'image' ? parsed.layers.at(-1) : undefined;
  if (layer === undefined) return undefined;
  const key = `provenance-v1-${hexOf(layer.digest)}-${name}`;
  const known = await io.cache.get(key);
  const bytes =
    known ??
    (
      await readLayerFiles(() => repository.readBlob(layer), {
        maxBytes: unpackLimit(layer.sizeBytes),
        wants: (path) => path === provenancePath,
      })
    ).files.get(provenancePath);
  const provenance = bytes === undefined ? undefined : parsePublishedProvenance(bytes);
  if (bytes === undefined || provenance === undefined) return undefined;
  if (known === undefined) await io.cache.put(key, bytes);
  return { reference: pinned(reference, manifest.digest), layer, provenance };
}

type PublishedDriver = PublishedProvenance['drivers'][number];

/** What an image says of a driver that was compiled from the same, for such a kernel. */
function driverFor(
  { arch, flavour = 'default', stream, drivers }: PublishedProvenance,
  wanted: WantedModules,
): PublishedDriver | undefined {
  if (arch !== wanted.arch || flavour !== wanted.flavour) return undefined;
  // Releases share kmod images, which name no stream.
  if (stream !== undefined && stream !== wanted.stream) return undefined;
  return drivers.find(({ sourceHash }) => sourceHash === wanted.sourceHash);
}

/** The modules of a driver, unless one is not what the image speaks of, or lacks a signature. */
async function readModules(
  { modules }: PublishedDriver,
  wanted: WantedModules,
  {
    image: { layer },
    repository,
    certificates,
  }: {
    readonly image: Image;
    readonly repository: Repository;
    readonly certificates: readonly SigningCertificate[];
  },
): Promise<readonly CompiledModule[] | undefined> {
  const { files } = await readLayerFiles(() => repository.readBlob(layer), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (path) => path.endsWith('.ko'),
  });
  const found: CompiledModule[] = [];
  for (const name of wanted.modules) {
    const module = modules.find((one) => one.name === name);
    const path = module?.path.replace(/^\//, '') ?? '';
    const bytes = files.get(path);
    if (bytes === undefined || moduleNameOfPath(path) !== name) return undefined;
    if (createHash('sha256').update(bytes).digest('hex') !== module?.sha256) return undefined;
    const isSigned = certificates.every(
      ({ certificate }) => verifyModuleSignature(bytes, [certificate]).status === 'valid',
    );
    if (!isSigned) return undefined;
    found.push({ name, fileName: path.slice(path.lastIndexOf('/') + 1), bytes });
  }
  return found;
}
