import { ModuleError, RegistryError } from './errors.ts';
import type { Io } from './io.ts';
import { readModule } from './kmod/read-module.ts';
import type { Arch } from './oci/arch.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { type Digest, hexOf } from './oci/digest.ts';
import type { AppendedImage } from './oci/image.ts';
import { parseManifest, type RawManifest } from './oci/manifest.ts';
import type { Tag } from './oci/tag.ts';
import { parsePublishedProvenance, type PublishedProvenance } from './published-provenance.ts';
import { type PublishedLayer, readPublishedLayer } from './read-published-layer.ts';
import type { Repository } from './registry/repository.ts';
import type { FoundLayer } from './remake-image.ts';
import type { SigningCertificate } from './sign/open-signers.ts';
import { verifyModuleSignature } from './sign/verify-signature.ts';
import type { KernelRelease } from './spec/kernel-release.ts';
import { requireBuiltFor } from './verify/require-loadable.ts';

/** An image that would be built, and what one that is there must have to take its place. */
export interface WantedImage {
  readonly tag: Tag;
  readonly inputHash: string;
  /** Where the image says what it was made from, without a leading slash. */
  readonly provenancePath: string;
  /** Names of the modules that it has. */
  readonly modules: readonly string[];
  /** Kernel and architecture of the modules. */
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  /** Who signs: each module must have a signature of each. */
  readonly certificates: readonly SigningCertificate[];
  /** Modules that were made for another kernel, and were proven to load on this one, are wanted as well. */
  readonly allowsOtherKernels: boolean;
  /** Part of it is like no other file, and cannot be judged: see `initramfs` of modules. */
  readonly hasInitramfs: boolean;
  /** Makes the image from a layer that is there, or says why it is none of the set. */
  readonly remake: (found: FoundLayer) => Promise<AppendedImage | string>;
}

/** An image that is there and is what would be built. */
export interface ReusableImage {
  readonly manifest: RawManifest;
  readonly tag: Tag;
  readonly provenance: PublishedProvenance;
}

export type Lookup =
  | { readonly isReusable: true; readonly found: ReusableImage }
  /** `why` says in a few words what is there, or what it lacks. */
  | { readonly isReusable: false; readonly why: string };

/**
 * Looks for an image under the tag that it would get. Whoever may push may have put it there, so it proves nothing by
 * itself: it is taken when this machine made or judged the very manifest before, which costs one request; or when the
 * signatures of its modules hold, and our layer on the base of the release comes to the same manifest, which costs two.
 * What nobody signs is taken from the machine's own record alone.
 *
 * @throws {RegistryError} {OciError} when what is there cannot be read.
 */
export async function findReusable(
  wanted: WantedImage,
  repository: Repository,
  io: Pick<Io, 'cache'>,
): Promise<Lookup> {
  const manifest = await findManifest(repository, wanted.tag);
  if (manifest === undefined) return no('there is no image with its tag');
  const parsed = parseManifest(manifest);
  const layer = parsed.kind === 'image' ? parsed.layers.at(-1) : undefined;
  if (layer === undefined) return no('what has its tag is no image of kmodlayer');
  const { digest } = manifest;
  const known = await io.cache.get(recordKey(wanted, digest));
  const recorded = known === undefined ? undefined : parsePublishedProvenance(known);
  if (recorded !== undefined) {
    const foreign = problemOfKernels(wanted, recorded);
    return foreign === undefined ? yes({ manifest, tag: wanted.tag, provenance: recorded }) : no(foreign);
  }
  if (wanted.certificates.length === 0) return no(`nobody signs it, and ${NOT_MADE_HERE}`);
  if (wanted.hasInitramfs) return no(`it has an initramfs, and ${NOT_MADE_HERE}`);
  const judged = await judge(wanted, { digest, layer }, repository);
  if (typeof judged === 'string') return no(judged);
  await recordImage(wanted, { digest, provenance: judged.bytes }, io);
  return yes({ manifest, tag: wanted.tag, provenance: judged.provenance });
}

const NOT_MADE_HERE = 'the image with its tag was not made on this machine';

function yes(found: ReusableImage): Lookup {
  return { isReusable: true, found };
}

function no(why: string): Lookup {
  return { isReusable: false, why };
}

/**
 * Remembers that a manifest is what inputs come to.
 *
 * @param made `provenance` is the file that is in the image.
 */
export async function recordImage(
  unit: Pick<WantedImage, 'inputHash'>,
  { digest, provenance }: { readonly digest: Digest; readonly provenance: Uint8Array },
  io: Pick<Io, 'cache'>,
): Promise<void> {
  await io.cache.put(recordKey(unit, digest), provenance);
}

function recordKey({ inputHash }: Pick<WantedImage, 'inputHash'>, digest: Digest): string {
  return `made-v1-${inputHash}-${hexOf(digest)}`;
}

interface JudgedLayer {
  readonly provenance: PublishedProvenance;
  readonly bytes: Uint8Array;
}

/** What an image says of itself, or why it is not what is wanted. */
async function judge(
  wanted: WantedImage,
  { digest, layer }: { readonly digest: Digest; readonly layer: Descriptor },
  repository: Repository,
): Promise<JudgedLayer | string> {
  const read = await readPublishedLayer(
    repository,
    layer,
    (path) => path === wanted.provenancePath || path.endsWith('.ko'),
  );
  if (read === undefined) return 'the last layer of the image with its tag is larger than those of kmodlayer';
  const bytes = read.files.get(wanted.provenancePath);
  const provenance = bytes === undefined ? undefined : parsePublishedProvenance(bytes);
  if (bytes === undefined || provenance === undefined)
    return 'the image with its tag does not say what it was made from';
  if (provenance.inputHash !== wanted.inputHash) {
    return `the image with its tag was made from other inputs (${provenance.inputHash.slice(0, 12)})`;
  }
  const problem = problemOfKernels(wanted, provenance) ?? problemOfModules(wanted, provenance, read);
  if (problem !== undefined) return problem;
  const remade = await wanted.remake({ ...read, provenance });
  if (typeof remade === 'string') return remade;
  if (remade.manifest.digest === digest) return { provenance, bytes };
  return 'the image with its tag is more than its layer on the base of its target';
}

function problemOfKernels(
  { allowsOtherKernels }: WantedImage,
  { drivers }: PublishedProvenance,
): string | undefined {
  const foreign = drivers.find(({ madeFor }) => madeFor !== undefined);
  if (foreign?.madeFor === undefined || allowsOtherKernels) return undefined;
  return `the image with its tag has modules of ${foreign.name} that were made for ${foreign.madeFor.kernel}`;
}

function problemOfModules(
  { modules: names, kernel, arch, certificates }: WantedImage,
  { drivers }: PublishedProvenance,
  { files, hashes }: PublishedLayer,
): string | undefined {
  const modules = drivers.flatMap(({ modules: own, madeFor }) =>
    own.map((module) => ({ ...module, builtFor: madeFor?.kernel ?? kernel })),
  );
  const missing = names.filter((name) => !modules.some((module) => module.name === name));
  if (missing.length > 0) return `the image with its tag lacks ${missing.join(', ')}`;
  for (const { name, path, builtFor, sha256: expected } of modules) {
    const at = path.replace(/^\//, '');
    const module = files.get(at);
    if (module === undefined || hashes.get(at) !== expected) {
      return `${name} in the image with its tag is not the module that the image speaks of`;
    }
    const stranger = certificates.find(({ certificate }) => !isSignedBy(module, certificate));
    if (stranger !== undefined) {
      const subject = stranger.certificate.subjectCommonName ?? 'the signer of the set';
      return `${name} in the image with its tag has no signature that holds under the certificate of ${subject}`;
    }
    try {
      requireBuiltFor({ fileName: `${name}.ko`, module: readModule(module), arch, kernel: builtFor });
    } catch (error) {
      // A signature says who made a module, and not which one it is.
      if (error instanceof ModuleError) return `${name} in the image with its tag is another module`;
      throw error;
    }
  }
  return undefined;
}

function isSignedBy(module: Uint8Array, certificate: SigningCertificate['certificate']): boolean {
  return verifyModuleSignature(module, [certificate]).status === 'valid';
}

async function findManifest(repository: Repository, tag: Tag): Promise<RawManifest | undefined> {
  try {
    return await repository.getManifest(tag);
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
