import { RegistryError, SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { readModule } from '../src/kmod/read-module.ts';
import { openImage, type OpenedImage } from '../src/oci/open-image.ts';
import { formatReference, tagged } from '../src/oci/reference.ts';
import { parseTag, tagFrom } from '../src/oci/tag.ts';
import type { Target } from '../src/resolve/target.ts';
import { moduleNameOfPath } from '../src/spec/module-name.ts';
import { type DriverSet, pathFrom, referenceFrom } from '../src/spec/spec.ts';
import type { ComparedModule } from '../src/verify/diff-releases.ts';
import { MODULE_FILE } from '../src/verify/image/added-layer.ts';
import { findBoundary } from '../src/verify/image/boundary.ts';
import { readChanges } from '../src/verify/image/changes.ts';
import { isOsImage } from '../src/verify/image/lint-image.ts';
import { readInput } from './io/read-input.ts';
import { openNamedImage } from './open-named-image.ts';

/** Tags that are looked through for the image that was built for a release. */
const MAX_TAGS = 10_000;

/** Modules in files. */
export async function modulesOfFiles(files: readonly string[], io: Io): Promise<readonly ComparedModule[]> {
  return Promise.all(files.map(async (file) => compared(file, await readInput(io.files, file))));
}

/**
 * The modules that an image adds to its base, or has when it is no OS image.
 *
 * @throws {SpecError} `USAGE` when there are none, or where the base ends is not known.
 */
export async function modulesOfImage(
  name: string,
  target: Target,
  io: Io,
): Promise<readonly ComparedModule[]> {
  const { reference, image } = await openNamedImage(name, target.arch, io);
  return modulesIn(image, formatReference(reference), io);
}

/**
 * The modules of a set: those that are files, else those of the image that was built for a release.
 *
 * @throws {SpecError} `USAGE` when there is no such image, or more than one.
 */
export async function modulesOfSet(
  set: DriverSet,
  target: Target,
  io: Io,
): Promise<readonly ComparedModule[]> {
  const files = set.drivers.flatMap(({ source }) =>
    source.type === 'files' ? source.paths.map((path) => pathFrom(set.file, path)) : [],
  );
  const ready = await modulesOfFiles(files, io);
  if (set.drivers.every(({ source }) => source.type === 'files')) return ready;
  const built = await builtFor(set, target, io);
  const names = new Set(ready.map(({ name }) => name));
  return [...ready, ...built.filter(({ name }) => !names.has(name))];
}

async function builtFor(set: DriverSet, target: Target, io: Io): Promise<readonly ComparedModule[]> {
  const kernel = target.osImage.kernel;
  const { kmodImage } = set.publish;
  if (kmodImage !== undefined) {
    const reference = tagged(referenceFrom(set.file, kmodImage), tagFrom(kernel));
    const repository = await io.images.open(reference, 'read');
    try {
      const image = await openImage(repository, tagFrom(kernel), target.arch);
      return await modulesIn(image, formatReference(reference), io);
    } catch (error) {
      if (!(error instanceof RegistryError && error.code === 'NOT_FOUND')) throw error;
    }
  }
  const reference = referenceFrom(set.file, set.publish.osImage);
  const repository = await io.images.open(reference, 'read');
  const start = tagFrom(`${target.release.version}-${kernel}-`);
  const tags = (await repository.listTags(MAX_TAGS)).filter((tag) => tag.startsWith(start));
  const [tag] = tags;
  if (tag === undefined || tags.length > 1) {
    const where = formatReference(reference);
    throw new SpecError(
      'USAGE',
      tag === undefined
        ? `Cannot find the modules of ${set.name}: ${where} has no image for ${target.release.version}`
        : `Cannot choose an image for ${target.release.version} in ${where}: there are ${tags.slice(0, 10).join(', ')}`,
      { hint: 'Build it first, name an image with --image, or modules with --module.' },
    );
  }
  return modulesIn(
    await openImage(repository, parseTag(tag), target.arch),
    `${formatReference(reference)}:${tag}`,
    io,
  );
}

async function modulesIn(image: OpenedImage, name: string, io: Io): Promise<readonly ComparedModule[]> {
  const found = findBoundary(image, { base: undefined, layers: undefined });
  const boundary =
    found ?? (isOsImage(image.config) ? undefined : { baseLayers: 0, foundBy: 'whole' as const });
  if (boundary === undefined) {
    throw new SpecError(
      'USAGE',
      `Cannot tell which modules ${name} adds: it does not say where its base ends`,
      {
        hint: 'Name the modules with --module.',
      },
    );
  }
  const { tree } = await readChanges(image, boundary, { isBaseRead: false }, io);
  const files = [...tree.files]
    .filter(([path]) => MODULE_FILE.test(path))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (files.length === 0) {
    throw new SpecError('USAGE', `Cannot find a module in ${name}`, {
      hint: 'Name the modules with --module.',
    });
  }
  return Promise.all(files.map(([path, bytes]) => compared(path, bytes)));
}

async function compared(path: string, bytes: Uint8Array): Promise<ComparedModule> {
  return { name: moduleNameOfPath(path), module: readModule(await decompressModule(bytes)) };
}
