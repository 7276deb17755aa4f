import { createHash } from 'node:crypto';
import { appendToKmodBase, appendToOsImage } from './append-drivers.ts';
import type { Io } from './io.ts';
import { MERGED_FILES } from './kmod/depmod/index-format.ts';
import { RHEL_INDEX_FORMAT } from './kmod/depmod/index-tree.ts';
import { KMOD_IMAGE_FIRMWARE, kmodImageDirectory, kmodImagePath } from './layer/kmod-image-files.ts';
import { kmodProvenanceFile } from './layer/kmod-provenance.ts';
import { modulePath, placeDriver } from './layer/place.ts';
import {
  type DriverProvenance,
  driverToolkitReleaseFile,
  type Provenance,
  provenanceFile,
} from './layer/provenance.ts';
import type { LayerFile } from './layer/tar.ts';
import type { AppendedImage } from './oci/image.ts';
import { openImage } from './oci/open-image.ts';
import { pinned, unpinned } from './oci/reference.ts';
import { driverInputs } from './plan/inputs.ts';
import type { CompileUnit, ImageUnit, KmodImageUnit } from './plan/plan.ts';
import type { PlannedBuild } from './plan-set.ts';
import type { PublishedProvenance } from './published-provenance.ts';
import type { PublishedLayer } from './read-published-layer.ts';
import { signerProvenance, type SigningCertificate } from './sign/open-signers.ts';
import { moduleNameOfPath } from './spec/module-name.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';

/** What an image is made again from. */
export interface RemakeContext {
  readonly set: DriverSet;
  readonly inputs: PlannedBuild['inputs'];
  readonly certificates: readonly SigningCertificate[];
}

/** A layer that was read, and what it says of itself. */
export interface FoundLayer extends PublishedLayer {
  readonly provenance: PublishedProvenance;
}

export type RemakeIo = Pick<Io, 'images' | 'cache' | 'env'>;

/**
 * Makes the image of a unit from a layer that is there already: it must be the very image that is under the tag. Of the
 * layer, only what modules and indexes hold is taken as it is; all other files must be those that the set makes.
 *
 * @returns Why not, in a few words, when the layer is none that the set makes.
 * @throws {RegistryError} {OciError} when the base cannot be read; it costs no request when it was read before.
 */
export async function remakeOsImage(
  unit: ImageUnit,
  { set, inputs, certificates }: RemakeContext,
  { provenance: found, ...layer }: FoundLayer,
  io: RemakeIo,
): Promise<AppendedImage | string> {
  const { target } = unit;
  const { kernel } = target.osImage;
  const directory = `usr/lib/modules/${kernel}`;
  const drivers = placesOf(
    unit.compiles,
    found,
    (driver, file) => `${directory}/${modulePath(driver, file)}`,
  );
  if (drivers === undefined) return OTHER_DRIVERS;
  const provenance: Provenance = { ...claimsOf(set, found, certificates), target, inputHash: unit.inputHash };
  const files = drivers.flatMap(({ driver, fileNames }) => {
    const modules = driver.modules.map((module, at) => ({
      ...module,
      fileName: fileNames[at] ?? '',
      bytes: NOTHING,
    }));
    return placeDriver({ ...driver, modules, firmware: [] }, kernel);
  });
  const problem = problemOf(layer, {
    directory,
    files: [
      ...files.filter(({ bytes }) => bytes !== NOTHING),
      provenanceFile(provenance),
      driverToolkitReleaseFile(target),
    ],
    modules: found.drivers,
    firmware: firmwareOf(unit.compiles, inputs, 'usr/lib/firmware'),
    links: new Map(),
  });
  if (problem !== undefined) return problem;
  const repository = await io.images.open(target.osImage.location, 'read');
  const base = await openImage(repository, target.osImage.digest, target.arch, io.cache);
  return appendToOsImage({ set, unit, base, layer: newLayer(layer), provenance }, io);
}

/** The same for a kmod image. */
export async function remakeKmodImage(
  unit: KmodImageUnit,
  { set, inputs, certificates }: RemakeContext,
  { provenance: found, ...layer }: FoundLayer,
  io: RemakeIo,
): Promise<AppendedImage | string> {
  const { kernel, arch, flavour, target } = unit;
  const directory = kmodImageDirectory(kernel);
  const drivers = placesOf(
    unit.compiles,
    found,
    (driver, file) => `${directory}/${kmodImagePath(driver, file)}`,
  );
  if (drivers === undefined) return OTHER_DRIVERS;
  const base = await openKmodBase(unit, { set, inputs }, io);
  const provenance = {
    ...claimsOf(set, found, certificates),
    ...{ kernel, arch, flavour, driverToolkit: target.driverToolkit, inputHash: unit.inputHash },
    base: base === undefined ? undefined : { reference: base.reference, digest: base.image.manifest.digest },
  };
  const problem = problemOf(layer, {
    directory,
    files: [kmodProvenanceFile(provenance)],
    modules: found.drivers,
    firmware: firmwareOf(unit.compiles, inputs, KMOD_IMAGE_FIRMWARE),
    links: new Map([[`${directory}/host`, `/lib/modules/${kernel}`]]),
  });
  if (problem !== undefined) return problem;
  return appendToKmodBase({ unit, base: base?.image, layer: newLayer(layer), provenance }, io);
}

async function openKmodBase(
  { arch }: Pick<KmodImageUnit, 'arch'>,
  { set, inputs }: Pick<RemakeContext, 'set' | 'inputs'>,
  io: RemakeIo,
) {
  const { kmodBase } = set.publish;
  if (kmodBase === undefined || inputs.kmodBase === undefined) return undefined;
  const named = referenceFrom(set.file, kmodBase);
  const repository = await io.images.open(named, 'read');
  const image = await openImage(repository, inputs.kmodBase, arch, io.cache);
  return { image, reference: pinned(unpinned(named), image.manifest.digest) };
}

const OTHER_DRIVERS = 'the image with its tag has other drivers than the set';

/** Bytes of modules, which are judged by their signatures. */
const NOTHING = Buffer.alloc(0);

function newLayer({ descriptor, diffId }: PublishedLayer) {
  return { chunks: [], sizeBytes: descriptor.sizeBytes, digest: descriptor.digest, diffId };
}

/** What a provenance says that no input decides is taken from the one that was found; who signs is not. */
function claimsOf(
  { name }: Pick<DriverSet, 'name'>,
  { drivers, toolVersion }: PublishedProvenance,
  certificates: readonly SigningCertificate[],
) {
  const signers = certificates.map(({ certificate, hash }) => signerProvenance(certificate, hash));
  return { name, drivers, signers, isThrowAway: false, toolVersion };
}

interface FoundDriver {
  readonly driver: CompileUnit['driver'];
  /** In the order of its modules. */
  readonly fileNames: readonly string[];
}

/** The drivers of a unit with the names of their files; undefined when the image speaks of others, or has them elsewhere. */
function placesOf(
  compiles: readonly CompileUnit[],
  { drivers }: Pick<PublishedProvenance, 'drivers'>,
  pathOf: (driver: string, fileName: string) => string,
): readonly FoundDriver[] | undefined {
  if (drivers.length !== compiles.length) return undefined;
  const places: FoundDriver[] = [];
  for (const [at, { driver, sourceHash }] of compiles.entries()) {
    const found = drivers[at];
    const isSame =
      found?.name === driver.name && found.version === driver.version && found.sourceHash === sourceHash;
    if (!isSame || found.modules.length !== driver.modules.length) return undefined;
    const fileNames = found.modules.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
    for (const [index, { name }] of driver.modules.entries()) {
      const [module, fileName = ''] = [found.modules[index], fileNames[index]];
      if (module?.name !== name || moduleNameOfPath(fileName) !== name) return undefined;
      if (module.path !== `/${pathOf(driver.name, fileName)}`) return undefined;
    }
    places.push({ driver, fileNames });
  }
  return places;
}

/** Firmware by its path in the image, with its SHA-256. */
function firmwareOf(
  compiles: readonly CompileUnit[],
  inputs: RemakeContext['inputs'],
  directory: string,
): ReadonlyMap<string, string> {
  return new Map(
    compiles.flatMap(({ driver }) =>
      driverInputs(driver, inputs).firmware.map(
        ({ path, sha256 }) => [`${directory}/${path}`, sha256] as const,
      ),
    ),
  );
}

/** All that may be in a layer. */
interface WantedFiles {
  /** Of the kernel's modules. */
  readonly directory: string;
  readonly files: readonly LayerFile[];
  readonly modules: readonly DriverProvenance[];
  readonly firmware: ReadonlyMap<string, string>;
  /** Symlinks with what they point to. */
  readonly links: ReadonlyMap<string, string>;
}

const INDEX_NAMES: ReadonlySet<string> = new Set([...MERGED_FILES, ...RHEL_INDEX_FORMAT.files]);

/** The first thing in a layer that a set does not make, or that is lacking. */
function problemOf(
  { entries, hashes }: Pick<PublishedLayer, 'entries' | 'hashes'>,
  { directory, files, modules, firmware, links }: WantedFiles,
): string | undefined {
  const wanted = new Map<string, string>([
    ...firmware,
    ...files.map(({ path, bytes }) => [path, createHash('sha256').update(bytes).digest('hex')] as const),
    ...modules.flatMap((driver) =>
      driver.modules.map(({ path, sha256 }) => [path.slice(1), sha256] as const),
    ),
  ]);
  const isIndex = (path: string): boolean =>
    path.startsWith(`${directory}/`) && INDEX_NAMES.has(path.slice(directory.length + 1));
  const parents = new Set(
    [...wanted.keys(), ...links.keys(), `${directory}/`].flatMap((path) => parentsOf(path)),
  );
  const seen = new Set<string>();
  for (const { path, type, mode, uid, gid, xattrs, linkPath } of entries) {
    const isPlain = uid === 0 && gid === 0 && xattrs.length === 0 && !seen.has(path);
    seen.add(path);
    const isWanted =
      (type === 'directory' && mode === 0o755 && parents.has(path)) ||
      (type === 'symlink' && linkPath !== undefined && links.get(path) === linkPath) ||
      (type === 'file' && mode === 0o644 && (isIndex(path) || wanted.get(path) === hashes.get(path)));
    if (isPlain && isWanted) continue;
    return `/${path} in the image with its tag is nothing that the set makes`;
  }
  const missing = [...wanted.keys(), ...links.keys()].find((path) => !seen.has(path));
  return missing === undefined ? undefined : `the image with its tag lacks /${missing}`;
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}
