import { createHash } from 'node:crypto';
import { RegistryError } from './errors.ts';
import type { Io } from './io.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { hexOf } from './oci/digest.ts';
import { readLayerFiles, unpackLimit } from './oci/layer-files.ts';
import { parseManifest, type RawManifest } from './oci/manifest.ts';
import type { Tag } from './oci/tag.ts';
import { inputHashOf } from './plan/input-hash.ts';
import { parsePublishedProvenance, type PublishedProvenance } from './published-provenance.ts';
import type { Repository } from './registry/repository.ts';
import type { SigningCertificate } from './sign/open-signers.ts';
import { verifyModuleSignature } from './sign/verify-signature.ts';

/** An image that would be built, and what one that is there must have to take its place. */
export interface WantedImage {
  readonly tag: Tag;
  readonly inputHash: string;
  /** Name of the driver set. */
  readonly name: string;
  /** Where the image says what it was made from, without a leading slash. */
  readonly provenancePath: string;
  /** Names of the modules that it has. */
  readonly modules: readonly string[];
  /** Who signs: each module must have a signature of each. */
  readonly certificates: readonly SigningCertificate[];
  /** Modules that were made for another kernel, and were proven to load on this one, are wanted as well. */
  readonly allowsOtherKernels: boolean;
}

/** An image that is there and is what would be built. */
export interface ReusableImage {
  readonly manifest: RawManifest;
  readonly tag: Tag;
  /** Our layer. */
  readonly layer: Descriptor;
  readonly provenance: PublishedProvenance;
}

export type Lookup =
  | { readonly isReusable: true; readonly found: ReusableImage }
  /** `why` says in a few words what is there, or what it lacks. */
  | { readonly isReusable: false; readonly why: string };

/**
 * Looks for an image under the tag that it would get. The tag alone proves nothing: our layer is read, the input hash in
 * it must be the wanted one, and each module's signature must hold under each certificate. Costs two requests; of a
 * layer that was found good before, one.
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
  const key = `reusable-v1-${hexOf(layer.digest)}-${demandsOf(wanted)}`;
  const known = await io.cache.get(key);
  const provenance = known === undefined ? undefined : parsePublishedProvenance(known);
  if (provenance !== undefined) {
    return { isReusable: true, found: { manifest, tag: wanted.tag, layer, provenance } };
  }
  const checked = await checkLayer(wanted, layer, repository);
  if (typeof checked === 'string') return no(checked);
  await io.cache.put(key, checked.bytes);
  return { isReusable: true, found: { manifest, tag: wanted.tag, layer, provenance: checked.provenance } };
}

function no(why: string): Lookup {
  return { isReusable: false, why };
}

/** All that a layer was checked for. */
function demandsOf(wanted: WantedImage): string {
  const { name, inputHash, provenancePath, modules, certificates, allowsOtherKernels } = wanted;
  const signers = certificates.map(({ certificate, hash }) => [sha256(certificate.der), hash]);
  return inputHashOf({ name, inputHash, provenancePath, modules, signers, allowsOtherKernels });
}

interface CheckedLayer {
  readonly provenance: PublishedProvenance;
  readonly bytes: Uint8Array;
}

/** What a layer says of itself, or why it is not what is wanted. */
async function checkLayer(
  wanted: WantedImage,
  layer: Descriptor,
  repository: Repository,
): Promise<CheckedLayer | string> {
  const { files } = await readLayerFiles(() => repository.readBlob(layer), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: (path) => path === wanted.provenancePath || path.endsWith('.ko'),
  });
  const bytes = files.get(wanted.provenancePath);
  const provenance = bytes === undefined ? undefined : parsePublishedProvenance(bytes);
  if (bytes === undefined || provenance === undefined)
    return 'the image with its tag does not say what it was made from';
  if (provenance.inputHash !== wanted.inputHash) {
    return `the image with its tag was made from other inputs (${provenance.inputHash.slice(0, 12)})`;
  }
  const foreign = provenance.drivers.find(({ madeFor }) => madeFor !== undefined);
  if (foreign?.madeFor !== undefined && !wanted.allowsOtherKernels) {
    return `the image with its tag has modules of ${foreign.name} that were made for ${foreign.madeFor.kernel}`;
  }
  const modules = provenance.drivers.flatMap((driver) => driver.modules);
  const missing = wanted.modules.filter((name) => !modules.some((module) => module.name === name));
  if (missing.length > 0) return `the image with its tag lacks ${missing.join(', ')}`;
  for (const { name, path, sha256: expected } of modules) {
    const module = files.get(path.replace(/^\//, ''));
    if (module === undefined || sha256(module) !== expected) {
      return `${name} in the image with its tag is not the module that the image speaks of`;
    }
    const stranger = wanted.certificates.find(({ certificate }) => !isSignedBy(module, certificate));
    if (stranger !== undefined) {
      const subject = stranger.certificate.subjectCommonName ?? 'the signer of the set';
      return `${name} in the image with its tag has no signature that holds under the certificate of ${subject}`;
    }
  }
  return { provenance, bytes };
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

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
