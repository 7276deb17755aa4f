import { appendToKmodBase } from './append-drivers.ts';
import type { CompiledDriver } from './compile/compile.ts';
import { LayerError } from './errors.ts';
import { recordImage, type ReusableImage } from './find-reusable.ts';
import type { Io } from './io.ts';
import { readBase } from './layer/base.ts';
import { readBasePaths } from './layer/base-paths.ts';
import { readKernelFiles } from './layer/kernel-files.ts';
import { kmodImageFiles, type KmodImageFiles, kmodImagePath } from './layer/kmod-image-files.ts';
import { type KmodProvenance, kmodProvenanceFile } from './layer/kmod-provenance.ts';
import { readSymvers, requireDeclared } from './layer/layer.ts';
import { makeLayer } from './layer/make-layer.ts';
import { mergeWithBase } from './layer/merge-base.ts';
import type { Arch } from './oci/arch.ts';
import type { Digest } from './oci/digest.ts';
import type { RawManifest } from './oci/manifest.ts';
import { openImage, type OpenedImage } from './oci/open-image.ts';
import { formatReference, pinned, type Reference, unpinned } from './oci/reference.ts';
import type { Tag } from './oci/tag.ts';
import { kmodImageTag } from './plan/image-tag.ts';
import type { KmodImageUnit } from './plan/plan.ts';
import { push } from './push/push.ts';
import { requirePublishable } from './push/publishable.ts';
import { driverProvenance, isThrowAway, signDrivers, type SignedDriver } from './sign-drivers.ts';
import type { OpenedSigner } from './sign/open-signers.ts';
import { mayHaveFirmware } from './spec/may-have-firmware.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';
import { makeStages } from './stages.ts';
import type { TargetReport } from './verify/report.ts';
import { requireLoadable } from './verify/require-loadable.ts';
import { signatureWarnings } from './verify/signature-warnings.ts';
import { verifyKmodDrivers } from './verify/verify-kmod-drivers.ts';

/** The image that kmod images stand on: it has the shell and the `cp` with which KMM takes modules out. */
export interface KmodBase {
  readonly image: OpenedImage;
  /** By digest. */
  readonly reference: Reference;
}

export interface BuildKmodImageRequest {
  readonly set: DriverSet;
  readonly unit: KmodImageUnit;
  /** Undefined: the image has nothing but modules. See `openKmodBase`. */
  readonly base: KmodBase | undefined;
  /** In the order of `unit.compiles`. */
  readonly drivers: readonly CompiledDriver[];
  /** None: the modules stay unsigned. */
  readonly signers: readonly OpenedSigner[];
  readonly toolVersion: string;
  /** Gets the proof of the image, also when nothing is pushed because of it. */
  readonly onProof?: ((proof: TargetReport, target: string) => void) | undefined;
}

/** A kmod image that was pushed. Names that are not its own are given by `tagKmodImages`. */
export interface BuiltKmodImage {
  readonly unit: KmodImageUnit;
  /** By digest. */
  readonly image: Reference;
  readonly digest: Digest;
  readonly manifest: RawManifest;
  /** Its own tag: kernel and input hash. */
  readonly tag: Tag;
  /** Undefined for an image that was reused. */
  readonly layer:
    | {
        readonly digest: Digest;
        readonly diffId: Digest;
        readonly sizeBytes: number;
        readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
      }
    | undefined;
  /** Modules of the OS image that are needed, by path below its module directory. */
  readonly inTree: readonly string[];
  readonly provenance: Pick<KmodProvenance, 'drivers' | 'signers' | 'inputHash'>;
  /** Undefined for an image that was reused. */
  readonly proof: TargetReport | undefined;
  readonly copiedBytes: number;
  readonly wasThere: boolean;
}

/**
 * Makes one kmod image: sign, index, verify, push.
 *
 * @throws {KmodError} of the stage that failed; nothing is pushed unless every module passes every static check.
 */
export async function buildKmodImage(request: BuildKmodImageRequest, io: Io): Promise<BuiltKmodImage> {
  const { set, unit, base, signers } = request;
  const { kernel, arch, target } = unit;
  const { kmodImage } = set.publish;
  if (kmodImage === undefined) throw new TypeError(`No repository for the kmod images of ${set.name}`);
  const stage = makeStages(unit.id, io);
  const signed = await stage('sign', () =>
    signDrivers({ ...request, kernel, arch, pathOf: kmodImagePath }, io),
  );
  const provenance = provenanceOf(request, signed);
  const tree = await stage('layer', () => makeTree(request, signed, provenance, io));
  const layer = await makeLayer(tree.files, 'kmod');
  const proof = await stage('verify', () =>
    verifyKmodDrivers(
      {
        subject: formatReference(target.osImage.reference),
        os: tree.os,
        indexes: tree.mergedIndexes,
        kernel: { release: kernel, arch },
        release: target.release.version,
        drivers: signed.map(({ placed }) => placed),
        certificates: signers.map(({ signer }) => signer.certificate),
      },
      io,
    ),
  );
  request.onProof?.(proof, unit.id);
  requireLoadable(proof);
  for (const { message, hint } of proof.findings)
    io.report({
      type: 'warning',
      message: `${unit.id}: ${message}`,
      ...(hint === undefined ? {} : { hint }),
    });
  if (signers.length > 0) signatureWarnings(proof).forEach(io.report);
  const image = appendToKmodBase({ unit, base: base?.image, layer, provenance }, io);
  const tag = kmodImageTag(unit);
  const destination = referenceFrom(set.file, kmodImage);
  const to = await io.images.open(destination, 'write');
  const pushed = await stage('push', () => push({ image, base: base?.image.repository ?? to, to, tag }, io));
  await recordImage(unit, { digest: pushed.digest, provenance: kmodProvenanceFile(provenance).bytes }, io);
  const { digest, diffId, sizeBytes } = layer;
  return {
    unit,
    image: pinned(destination, pushed.digest),
    digest: pushed.digest,
    manifest: image.manifest,
    tag,
    layer: { digest, diffId, sizeBytes, files: tree.files.map(sizeOf) },
    inTree: tree.inTree,
    provenance,
    proof,
    copiedBytes: pushed.copiedBytes,
    wasThere: pushed.wasThere,
  };
}

/** A kmod image that is there and is what would be built: nothing was made, and nothing written. */
export function reuseKmodImage(set: DriverSet, unit: KmodImageUnit, found: ReusableImage): BuiltKmodImage {
  const { manifest, tag, provenance } = found;
  const image = pinned(
    referenceFrom(set.file, set.publish.kmodImage ?? set.publish.osImage),
    manifest.digest,
  );
  const nothing = { layer: undefined, inTree: [], proof: undefined, copiedBytes: 0, wasThere: true };
  return { unit, image, digest: manifest.digest, manifest, tag, provenance, ...nothing };
}

type KmodFile = KmodImageFiles['files'][number];

function sizeOf(file: KmodFile): { readonly path: string; readonly sizeBytes: number } {
  return { path: file.path, sizeBytes: 'bytes' in file ? file.bytes.length : 0 };
}

interface KmodTree extends KmodImageFiles {
  readonly os: Parameters<typeof verifyKmodDrivers>[0]['os'];
  readonly mergedIndexes: ReadonlyMap<string, Uint8Array>;
}

async function makeTree(
  { set, unit }: BuildKmodImageRequest,
  signed: readonly SignedDriver[],
  provenance: KmodProvenance,
  io: Io,
): Promise<KmodTree> {
  const { kernel, target, arch, flavour } = unit;
  const drivers = signed.map(({ placed }) => placed);
  const modules = new Map(signed.flatMap((one) => [...one.modules]));
  const common = {
    ...{ kernel, drivers, modules },
    extraFiles: [kmodProvenanceFile(provenance)],
    mayHaveFirmware: unit.compiles.some(({ driver }) => mayHaveFirmware(driver)),
  };
  if (target.osImage.kernel !== kernel) {
    const made = await kmodImageFiles({ ...common, os: undefined }, io);
    warnOfUnresolved(made.unresolved, { kernel, flavour }, io);
    return { ...made, os: undefined, mergedIndexes: made.indexes };
  }
  const repository = await io.images.open(target.osImage.location, 'read');
  const image = await openImage(repository, target.osImage.digest, arch, io.cache);
  requirePublishable(
    image.config.labels,
    referenceFrom(set.file, set.publish.kmodImage ?? set.publish.osImage),
  );
  const base = await readBase(image, kernel, io);
  requireDeclared(drivers, base.indexes, kmodImagePath);
  const symvers = await readSymvers(await readKernelFiles(image, kernel, io), io);
  const added = [...modules].map(([path, module]) => ({ path, module }));
  const merged = await mergeWithBase({ image, base, kernel, added, ownConfig: new Map(), symvers }, io);
  const mergedIndexes = new Map([...base.indexes, ...merged.files]);
  const dependencies = mergedIndexes.get('modules.dep') ?? Buffer.alloc(0);
  const os = { image, base, dependencies };
  return { ...(await kmodImageFiles({ ...common, os }, io)), os, mergedIndexes };
}

function warnOfUnresolved(
  names: readonly string[],
  { kernel, flavour }: Pick<KmodImageUnit, 'kernel' | 'flavour'>,
  io: Pick<Io, 'report'>,
): void {
  if (names.length === 0) return;
  io.report({
    type: 'warning',
    message: `the ${flavour} kernel ${kernel} is not in the OS image: where it has ${names.join(', ')}, which the modules need, is not known`,
    hint: "The host's own Day 1 loader finds them by name; for KMM, list them in the Module's modulesLoadingOrder.",
  });
}

function provenanceOf(
  { set, unit, base, signers: opened, toolVersion }: BuildKmodImageRequest,
  signed: readonly SignedDriver[],
): KmodProvenance {
  const { kernel, arch, flavour, target } = unit;
  const drivers = signed.map((one) => driverProvenance(one, `/opt/lib/modules/${kernel}`, unit.compiles));
  const signers = opened.map((signer) => signer.provenance);
  const { driverToolkit } = target;
  const { inputHash } = unit;
  return {
    ...{ name: set.name, kernel, arch, flavour, driverToolkit, drivers, signers, inputHash, toolVersion },
    base: base === undefined ? undefined : { reference: base.reference, digest: base.image.manifest.digest },
    isThrowAway: isThrowAway(set, signed),
  };
}

/** What KMM runs in a kmod image to take modules out of it. */
const PROGRAMS = ['sh', 'cp', 'mkdir'];

/**
 * Opens the image that kmod images of an architecture stand on, and looks whether it has what KMM needs. Its layers are
 * read once, and what they hold is kept by their digests. `digest` is what it was when the build was planned: its tag may
 * have moved since, and the input hash of what stands on it would not say so. Undefined when the spec names none, which is said aloud.
 *
 * @throws {LayerError} `BASE_UNSUPPORTED`; {OciError}, {RegistryError} when it cannot be had.
 */
export async function openKmodBase(
  {
    set,
    digest,
    arch,
  }: { readonly set: DriverSet; readonly digest: Digest | undefined; readonly arch: Arch },
  io: Io,
): Promise<KmodBase | undefined> {
  const { kmodBase } = set.publish;
  if (kmodBase === undefined) {
    io.report({
      type: 'warning',
      message:
        'kmod images have no base: they have no /bin/sh and no cp, with which KMM and the loaders "kmm", "kvc" and "sro" take modules out',
      hint: 'Name a small one under publish.kmodImage.base, for instance ubi-minimal; the Day 1 loader "host" needs none.',
    });
    return undefined;
  }
  const named = referenceFrom(set.file, kmodBase);
  const repository = await io.images.open(named, 'read');
  if (digest === undefined) throw unusable(named, 'no image of it was named', 'Add a tag or a digest.');
  const image = await openImage(repository, digest, arch, io.cache);
  const paths = await readBasePaths(image, io, { isWhole: true });
  const missing = PROGRAMS.filter((program) =>
    ['bin', 'usr/bin'].every((directory) => paths.find(`${directory}/${program}`) === 'absent'),
  );
  if (missing.length > 0) {
    const hint = 'KMM runs sh, mkdir and cp in kmod images: take a base that has them, such as ubi-minimal.';
    throw unusable(named, `it has no ${missing.join(', no ')}`, hint);
  }
  requirePublishable(image.config.labels, referenceFrom(set.file, set.publish.kmodImage ?? named));
  return { image, reference: pinned(unpinned(named), image.manifest.digest) };
}

function unusable(named: Reference, why: string, hint: string): LayerError {
  return new LayerError('BASE_UNSUPPORTED', `Cannot make kmod images on ${formatReference(named)}: ${why}`, {
    hint,
  });
}
