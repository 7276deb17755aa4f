import { appendToOsImage } from './append-drivers.ts';
import type { CompiledDriver } from './compile/compile.ts';
import { recordImage, type ReusableImage } from './find-reusable.ts';
import type { Io } from './io.ts';
import type { Archive } from './layer/initramfs/make-archive.ts';
import { layer, type Layer } from './layer/layer.ts';
import { modulePath } from './layer/place.ts';
import { driverToolkitReleaseFile, type Provenance, provenanceFile } from './layer/provenance.ts';
import { makeOsImageMachineConfig } from './manifests/os-image.ts';
import { toYaml } from './manifests/yaml.ts';
import type { Digest } from './oci/digest.ts';
import { openImage, type OpenedImage } from './oci/open-image.ts';
import { formatReference, pinned, type Reference } from './oci/reference.ts';
import type { Tag } from './oci/tag.ts';
import { imageTag } from './plan/image-tag.ts';
import type { ImageUnit } from './plan/plan.ts';
import { push } from './push/push.ts';
import { requirePublishable } from './push/publishable.ts';
import type { Target } from './resolve/target.ts';
import type { OpenedSigner } from './sign/open-signers.ts';
import { driverProvenance, isThrowAway, signDrivers, type SignedDriver } from './sign-drivers.ts';
import { objectNameFrom } from './spec/object-name.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';
import { makeStages } from './stages.ts';
import type { TargetReport } from './verify/report.ts';
import { requireLoadable } from './verify/require-loadable.ts';
import { signatureWarnings } from './verify/signature-warnings.ts';
import { verifyLayer } from './verify/verify-layer.ts';

export interface BuildImageRequest {
  readonly set: DriverSet;
  readonly unit: ImageUnit;
  /** The OS image of the target: see `openBase`. */
  readonly base: OpenedImage;
  /** In the order of `unit.compiles`. */
  readonly drivers: readonly CompiledDriver[];
  /** None: the modules stay unsigned. */
  readonly signers: readonly OpenedSigner[];
  readonly toolVersion: string;
  /** Gets the proof of the image, also when nothing is pushed because of it. */
  readonly onProof?: ((proof: TargetReport, target: string) => void) | undefined;
}

/** A layered image that was pushed, and what rolls it out. */
export interface BuiltImage {
  readonly target: Target;
  /** By digest. */
  readonly image: Reference;
  readonly digest: Digest;
  readonly tag: Tag;
  /** Undefined for an image that was reused. */
  readonly layer:
    | (Pick<Layer, 'digest' | 'diffId' | 'overridden' | 'indexes'> & {
        readonly sizeBytes: number;
        readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
        /** What was appended to the initramfs of the base; undefined when no module is to be in it. */
        readonly initramfs:
          | ({ readonly baseBytes: number; readonly archiveBytes: number } & Pick<
              Archive,
              'modules' | 'overridden'
            >)
          | undefined;
      })
    | undefined;
  readonly provenance: Pick<Provenance, 'drivers' | 'signers' | 'inputHash'>;
  /** Why its modules should load: what was checked of each, and against what. Undefined for an image that was reused. */
  readonly proof: TargetReport | undefined;
  readonly copiedBytes: number;
  /** True when this very image was there already. */
  readonly wasThere: boolean;
  /** Manifests by file name; none when the image was written to a layout, from which nodes cannot pull. */
  readonly manifests: readonly { readonly fileName: string; readonly yaml: string }[];
}

/**
 * Makes one layered image: sign, layer, verify, push, manifests.
 *
 * @throws {KmodError} of the stage that failed; nothing is pushed unless every module passes every static check.
 */
export async function buildImage(request: BuildImageRequest, io: Io): Promise<BuiltImage> {
  const { set, unit, base } = request;
  const { target } = unit;
  const kernel = target.osImage.kernel;
  const stage = makeStages(unit.id, io);

  const { arch } = target;
  const signed = await stage('sign', () => signDrivers({ ...request, kernel, arch, pathOf: modulePath }, io));
  const provenance = provenanceOf(request, signed);
  const made = await stage('layer', () =>
    layer(
      {
        image: base,
        kernel,
        drivers: signed.map(({ placed }) => placed),
        modules: new Map(signed.flatMap(({ modules }) => [...modules])),
        extraFiles: [provenanceFile(provenance), driverToolkitReleaseFile(target)],
      },
      io,
    ),
  );
  const proof = await stage('verify', () =>
    verifyLayer(
      {
        subject: formatReference(target.osImage.reference),
        image: base,
        kernel: { release: kernel, arch: target.arch },
        release: target.release.version,
        drivers: signed.map(({ placed }) => placed),
        tree: made.tree,
        certificates: request.signers.map(({ signer }) => signer.certificate),
      },
      io,
    ),
  );
  request.onProof?.(proof, unit.id);
  requireLoadable(proof);
  // Of a set that nobody signs, it was said before.
  if (request.signers.length > 0) signatureWarnings(proof).forEach(io.report);
  const image = appendToOsImage({ set, unit, base, layer: made, provenance }, io);
  const tag = imageTag(unit);
  const destination = referenceFrom(set.file, set.publish.osImage);
  const to = await io.images.open(destination, 'write');
  const pushed = await stage('push', () => push({ image, base: base.repository, to, tag }, io));
  await recordImage(unit, { digest: pushed.digest, provenance: provenanceFile(provenance).bytes }, io);
  const reference = pinned(destination, pushed.digest);
  return {
    target,
    image: reference,
    digest: pushed.digest,
    tag,
    layer: {
      digest: made.digest,
      diffId: made.diffId,
      sizeBytes: made.sizeBytes,
      overridden: made.overridden,
      indexes: made.indexes,
      files: [
        ...made.files.map(({ path, bytes }) => ({ path, sizeBytes: bytes.length })),
        ...(made.initramfs === undefined
          ? []
          : [made.initramfs.file].map(({ path, sizeBytes }) => ({ path, sizeBytes }))),
      ],
      initramfs:
        made.initramfs === undefined
          ? undefined
          : {
              baseBytes: made.initramfs.baseBytes,
              archiveBytes: made.initramfs.archive.bytes.length,
              modules: made.initramfs.archive.modules,
              overridden: made.initramfs.archive.overridden,
            },
    },
    provenance,
    proof,
    copiedBytes: pushed.copiedBytes,
    wasThere: pushed.wasThere,
    manifests: manifestsOf(set, reference),
  };
}

/** An image that is there and is what would be built: nothing was made, and nothing written. */
export function reuseImage(set: DriverSet, { target }: ImageUnit, found: ReusableImage): BuiltImage {
  const { digest } = found.manifest;
  const image = pinned(referenceFrom(set.file, set.publish.osImage), digest);
  const { tag, provenance } = found;
  const manifests = manifestsOf(set, image);
  const nothing = { layer: undefined, proof: undefined, copiedBytes: 0, wasThere: true };
  return { target, image, digest, tag, provenance, manifests, ...nothing };
}

/**
 * The OS image that a layer goes on, opened before anything is compiled.
 *
 * @throws {SignError} `THROW_AWAY_KEY` when what is made of it could not be published; {RegistryError}, {OciError}.
 */
export async function openBase({ publish, file }: DriverSet, target: Target, io: Io): Promise<OpenedImage> {
  const repository = await io.images.open(target.osImage.location, 'read');
  const base = await openImage(repository, target.osImage.digest, target.arch, io.cache);
  requirePublishable(base.config.labels, referenceFrom(file, publish.osImage));
  return base;
}

function provenanceOf(
  { set, unit, signers: openedSigners, toolVersion }: BuildImageRequest,
  signed: readonly SignedDriver[],
): Provenance {
  const { target } = unit;
  const drivers = signed.map((one) =>
    driverProvenance(one, `/usr/lib/modules/${target.osImage.kernel}`, unit.compiles),
  );
  const signers = openedSigners.map((signer) => signer.provenance);
  return {
    name: set.name,
    target,
    drivers,
    signers,
    isThrowAway: isThrowAway(set, signed),
    inputHash: unit.inputHash,
    toolVersion,
  };
}

function manifestsOf(set: DriverSet, image: Reference): BuiltImage['manifests'] {
  if (image.transport !== 'docker') return [];
  return set.rollout.pools.map((pool) => {
    const name = objectNameFrom(`99-${pool}-${set.name}`);
    return { fileName: `${name}.yaml`, yaml: toYaml([makeOsImageMachineConfig({ name, pool, image })]) };
  });
}
